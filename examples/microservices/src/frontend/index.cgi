#!/bin/sh
# The page: one request here asks all other services, some of them through another.
printf 'Content-Type: text/plain\r\n\r\n'
echo 'Online Boutique'
for service in productcatalogservice currencyservice cartservice recommendationservice shippingservice checkoutservice; do
    wget -qO- "http://$service/" || echo "$service: no answer"
done
echo 'page served' >&2
