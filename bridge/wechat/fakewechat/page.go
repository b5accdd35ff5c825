package fakewechat

import (
	"bytes"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/charset"
)

// Page is what the in-app browser shows. Scripts never run in it.
type Page struct {
	ID      int64   `json:"id"`
	View    string  `json:"view"` // where the phone page shows it, under /_fake/
	URL     string  `json:"url"`
	Status  int     `json:"status"` // of HTTP
	Title   string  `json:"title"`
	Text    string  `json:"text"` // all words to be seen, blocks on lines of their own
	Images  []Image `json:"images"`
	Links   []Link  `json:"links"`
	Forms   []Form  `json:"forms"`
	Refresh int     `json:"refresh,omitempty"` // seconds after which the page asks to be loaded again

	view    string // unguessable name of this page for the phone page's frame
	address *url.URL
	sheets  []string // addresses of the style sheets
	body    []byte   // cleaned HTML for the phone page
}

// Image is one picture of a page.
type Image struct {
	N   int    `json:"n"` // for the press control
	Src string `json:"src"`
	Alt string `json:"alt,omitempty"`
}

// Link is one link of a page.
type Link struct {
	Text string `json:"text"`
	URL  string `json:"url"`
}

// Form is one form of a page.
type Form struct {
	N       int      `json:"n"` // for the submit control
	Action  string   `json:"action"`
	Method  string   `json:"method"` // GET or POST
	Inputs  []Input  `json:"inputs"`
	Buttons []Button `json:"buttons"`
}

// Input is one field of a form; each radio button and each checkbox is one of its own.
type Input struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"` // as in HTML, or select, or textarea
	Value    string   `json:"value"`
	Options  []string `json:"options,omitempty"` // of a select
	Checked  bool     `json:"checked,omitempty"`
	Required bool     `json:"required,omitempty"`
}

// Button sends a form.
type Button struct {
	Text   string `json:"text"`
	Name   string `json:"name,omitempty"`
	Value  string `json:"value,omitempty"`
	action string
}

// newPage reads what a server answered. What is not HTML is shown as it is, if it is a picture or text.
func newPage(id int64, address *url.URL, res *http.Response, body []byte) *Page {
	view := randomText(18)
	page := &Page{
		ID: id, URL: address.String(), Status: res.StatusCode, address: address, view: view, View: "view?view=" + view,
		Images: []Image{}, Links: []Link{}, Forms: []Form{},
	}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch {
	case kind == "text/html" || kind == "application/xhtml+xml":
		page.read(body, res.Header.Get("Content-Type"))
	case strings.HasPrefix(kind, "image/"):
		page.read([]byte(`<img src="`+html.EscapeString(page.URL)+`">`), "text/html; charset=utf-8")
	case strings.HasPrefix(kind, "text/") || kind == "application/json":
		page.read([]byte("<pre>"+html.EscapeString(string(body))+"</pre>"), "text/html; charset=utf-8")
	}
	return page
}

func (page *Page) read(body []byte, contentType string) {
	reader, err := charset.NewReader(bytes.NewReader(body), contentType)
	if err != nil {
		reader = bytes.NewReader(body)
	}
	doc, err := html.ParseWithOptions(reader, html.ParseOptionEnableScripting(false))
	if err != nil {
		page.Text = "网页无法显示"
		return
	}
	r := &pageReader{page: page, base: page.address}
	r.children(doc)
	page.Title, page.Text = strings.TrimSpace(page.Title), tidy(r.words.String())
	var clean bytes.Buffer
	if html.Render(&clean, doc) == nil {
		page.body = clean.Bytes()
	}
}

// tidy joins white space, and keeps one line a block.
func tidy(words string) string {
	var lines []string
	for line := range strings.Lines(words) {
		if joined := strings.Join(strings.Fields(line), " "); joined != "" {
			lines = append(lines, joined)
		}
	}
	return strings.Join(lines, "\n")
}

func attr(n *html.Node, name string) string {
	value, _ := lookup(n, name)
	return value
}

func lookup(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Namespace == "" && a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func setAttr(n *html.Node, name, value string) {
	n.Attr = append(n.Attr, html.Attribute{Key: name, Val: value})
}

// content is the text in an element, on one line.
func content(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
