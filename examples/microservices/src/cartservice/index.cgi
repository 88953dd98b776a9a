#!/bin/sh
# Counts in the store, so that every request puts one more item into the cart.
printf 'Content-Type: text/plain\r\n\r\n'
items=$(printf 'INCR cart\r\n' | nc -w 2 redis 6379 | tr -cd '0-9')
echo "cartservice: ${items:-no} items (from redis)"
