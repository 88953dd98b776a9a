# Sends a signal to all that a process has started. Arguments: the process, the signal.
tree() {
  for s in /proc/[0-9]*/stat; do
    { read -r a <"$s"; } 2>/dev/null || continue
    b=${a##*) }
    b=${b#* }
    if [ "${b%% *}" = "$1" ]; then
      c="$c ${a%% *}"
      tree "${a%% *}"
    fi
  done
}
c=
tree "$1"
[ -z "$c" ] || kill -"$2" $c 2>/dev/null
