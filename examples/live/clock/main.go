// Tells the time.
package main

import (
	"fmt"
	"net/http"
	"time"
)

func main() {
	http.HandleFunc("/", func(answer http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(answer, "Clock version 1:", time.Now().Format(time.TimeOnly))
	})
	http.ListenAndServe(":8080", nil)
}
