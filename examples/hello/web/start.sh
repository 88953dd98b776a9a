echo "serving: $(cat /www/index.html)"
exec httpd -f -v -p 8080 -h /www
