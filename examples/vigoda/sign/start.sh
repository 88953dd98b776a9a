echo "$GREETING" > index.html && echo "serving on :8080"
exec httpd -f -p 8080 -h /www
