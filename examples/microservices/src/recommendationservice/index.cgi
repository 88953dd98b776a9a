#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n'
products=$(wget -qO- http://productcatalogservice/ || echo 'no answer')
echo "recommendationservice: ${products##*, }"
