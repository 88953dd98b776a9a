#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n'
echo 'productcatalogservice: typewriter, terrarium, film camera'
