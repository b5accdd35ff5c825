package fakewechat

import (
	"bytes"
	"embed"
	"net/http"
	"time"
)

//go:embed phone
var phoneFiles embed.FS

// uiPolicy: everything the phone page needs is ours; nothing is written into the page itself.
const uiPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

func (s *Server) pageRoutes(mux *http.ServeMux) {
	for _, name := range []string{"phone.js", "phones.js", "dom.js", "words.js", "phone.css"} {
		mux.HandleFunc("GET /_fake/"+name, func(w http.ResponseWriter, r *http.Request) { serveFile(w, r, name) })
	}
	mux.HandleFunc("GET /_fake/ui", func(w http.ResponseWriter, r *http.Request) { serveFile(w, r, "index.html") })
}

func serveFile(w http.ResponseWriter, r *http.Request, name string) {
	data, err := phoneFiles.ReadFile("phone/" + name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Security-Policy", uiPolicy)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-cache")
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(data))
}
