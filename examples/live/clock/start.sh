# Starts the program again whenever it ends: so a live update need only end it.
while true; do
  /app/build/clock &
  echo $! >/tmp/pid
  wait $!
done
