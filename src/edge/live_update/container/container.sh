# Runs in the container, in whatever `sh` it has, for as long as the channel is open. Arguments: the channel's mark, then
# directories that may hold a journal. Reads frames from its input: a line "KIND LENGTH PLACE", then LENGTH bytes. No
# further frame is sent until the answer to the one before: whoever reads the bytes may read ahead.
# The error output stays open: container runtimes close the input when an output ends.
exec 9>&2 2>&1
N=$1
shift
W=$PWD
# So that a variable can end a name or a message at a line's end.
L='
'
say() { printf '%s %s\n' "$N" "$*"; }
has() { command -v "$1" >/dev/null 2>&1; }

# Takes this many bytes of the input, in place of the subshell that it is called in. Some `head` take them one by one; a `dd`
# that can takes them at once, and has them all in memory.
take() {
  if [ "$F" ] && [ "$1" -gt 100000 ] && [ "$1" -lt 4000000 ]; then
    exec dd bs="$1" count=1 iflag=fullblock 2>/dev/null
  elif [ "$H" = head ]; then
    exec head -c "$1"
  else
    exec dd bs=1 count="$1" 2>/dev/null
  fi
}

# Makes a directory, also where a file is in the way.
dir() {
  [ -d "$1" ] && return
  mkdir -p "$1" 2>/dev/null && return
  q=$1
  while [ -n "$q" ]; do
    if [ -e "$q" ] || [ -L "$q" ]; then
      [ -d "$q" ] || rm -f "$q"
      break
    fi
    q=${q%/*}
  done
  mkdir -p "$1"
}

# Moves staged names into a directory: all at once, or what cannot be moved one by one, in place.
# Arguments: number of the stage, number of the first name, the stage, the directory, names.
put() {
  g=$1 i=$2 f=$3 t=$4
  shift 4
  for n; do
    [ -d "$t/$n" ] && [ ! -L "$t/$n" ] && rm -rf "$t/$n"
  done
  (cd "$f" && exec mv -f -- "$@" "$t/") >/dev/null 2>&1 && return
  for n; do
    if [ -e "$f/$n" ] || [ -L "$f/$n" ]; then
      if ! e=$(mv -f -- "$f/$n" "$t/" 2>&1); then
        if [ -f "$f/$n" ] && [ ! -L "$f/$n" ] && [ -f "$t/$n" ] && { cat <"$f/$n" >"$t/$n"; } 2>/dev/null; then
          say inplace "$g" "$i" "${e%%"$L"*}"
          rm -f "$f/$n"
        else
          printf '%s\n' "$e"
          return 1
        fi
      fi
    fi
    i=$((i + 1))
  done
}

# Deletes paths. One that is below what is no directory is gone already.
del() {
  e=$(rm -rf -- "$@" 2>&1) && return
  for n; do
    if [ -e "$n" ] || [ -L "$n" ]; then
      printf '%s\n' "$e"
      return 1
    fi
  done
}

# Whether a place is still this channel's: a later one takes it over.
mine() {
  { read -r o <"$1/owner"; } 2>/dev/null && [ "$o" = "$N" ] && return
  say lost
  return 1
}

# Makes the first of these directories that can be written the place of this number. Arguments: number, directories.
place() {
  k=$1
  shift
  for s; do
    if e=$(mkdir -p "$s/$N" 2>&1) && { printf '%s\n' "$N" >"$s/owner"; } 2>/dev/null; then
      for q in "$s"/*/; do
        [ "$q" = "$s/$N/" ] || rm -rf "$q"
      done
      eval "P$k=\$s"
      return
    fi
    printf '%s\n' "$e"
  done
  return 1
}

# Says where a directory, or the nearest one above it, really is. Arguments: number, directory.
where() {
  q=$2
  until cd -P "${q:-/}" 2>/dev/null; do
    q=${q%/*}
  done
  say where "$1" "$PWD"
  cd "$W" 2>/dev/null || cd /
}

journal() {
  [ -f "$1/journal" ] || return 0
  say journal "$1"
  cat "$1/journal"
}

H=
M=
for t in sh tar mv rm mkdir chmod cat; do has "$t" || M="$M $t"; done
if has head; then H=head; elif has dd; then H=dd; else M="$M head"; fi
F=
has dd && dd if=/dev/null bs=1 count=1 iflag=fullblock >/dev/null 2>&1 && F=y
say hello "$$" "$M"
say mounts
[ -r /proc/self/mounts ] && cat /proc/self/mounts
for s; do journal "$s"; done
if [ -r /proc/self/mounts ]; then
  while read -r a b c; do
    for s; do [ "$s" = "${b%/}/.tilt-live-update" ] && continue 2; done
    journal "${b%/}/.tilt-live-update"
  done </proc/self/mounts
fi
say ready

while read -r k n p; do
  case $k in
    run)
      eval "$(take "$n")"
      say done "$?"
      ;;
    stage | commit)
      eval "p=\$P$p"
      mine "$p" && p=$p/$N && take "$n" | (cd "$p" && umask 0 && exec tar -xomf -)
      r=$?
      if [ "$r" != 0 ]; then
        # What is left of the frame must not be taken for another one.
        say done "$r"
        exit 1
      fi
      if [ "$k" = commit ]; then
        . "$p/commit"
        r=$?
        [ "$r" = 0 ] || say staged
      fi
      say done "$r"
      ;;
  esac
done
