package fakewechat

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// pageReader walks a document once: it notes what a person can see and do, and cleans the document for the phone page.
// What can run, load or leave is taken out; links, pictures and forms get numbers in data-fake-…, by which the phone
// page turns a click into a control call.
type pageReader struct {
	page   *Page
	base   *url.URL
	form   *Form // the form that the walk is in
	hidden bool  // inside an element that nobody sees
	words  strings.Builder
}

func (r *pageReader) children(n *html.Node) {
	for child := n.FirstChild; child != nil; {
		next := child.NextSibling
		r.node(n, child)
		child = next
	}
}

func (r *pageReader) node(parent, n *html.Node) {
	switch n.Type {
	case html.TextNode:
		r.see(n.Data)
	case html.CommentNode:
		parent.RemoveChild(n)
	case html.ElementNode:
		r.element(parent, n)
	case html.DocumentNode, html.DoctypeNode:
	}
}

func (r *pageReader) see(words string) {
	if !r.hidden {
		r.words.WriteString(words)
	}
}

func (r *pageReader) element(parent, n *html.Node) {
	if r.leaves(n) {
		parent.RemoveChild(n)
		return
	}
	wasHidden := r.hidden
	if _, hidden := lookup(n, "hidden"); hidden || n.DataAtom == atom.Style || n.DataAtom == atom.Title {
		r.hidden = true
	}
	r.lineBreak(n)
	r.enter(n)
	r.lineBreak(n)
	r.hidden = wasHidden
}

func (r *pageReader) lineBreak(n *html.Node) {
	blocks := "address article aside blockquote br button dd div dl dt fieldset figcaption figure footer form " +
		"h1 h2 h3 h4 h5 h6 header hr label legend li main nav ol option p pre section select summary table textarea tr ul"
	if slices.Contains(strings.Fields(blocks), n.Data) {
		r.see("\n")
	}
}

// leaves reports whether an element is taken out, after noting what it meant.
func (r *pageReader) leaves(n *html.Node) bool {
	switch n.DataAtom {
	case atom.Base:
		if base, err := r.base.Parse(attr(n, "href")); err == nil {
			r.base = base
		}
		return true
	case atom.Meta:
		r.noteRefresh(n)
		return attr(n, "name") != "viewport"
	case atom.Link:
		return !slices.Contains(strings.Fields(strings.ToLower(attr(n, "rel"))), "stylesheet")
	case atom.Script, atom.Iframe, atom.Frame, atom.Frameset, atom.Object, atom.Embed, atom.Applet, atom.Template:
		return true
	}
	return false
}

func (r *pageReader) noteRefresh(n *html.Node) {
	if !strings.EqualFold(attr(n, "http-equiv"), "refresh") {
		return
	}
	seconds, _, _ := strings.Cut(attr(n, "content"), ";")
	if v, err := strconv.Atoi(strings.TrimSpace(seconds)); err == nil && v > 0 {
		r.page.Refresh = v
	}
}

// enter notes what an element offers, cleans it, and walks on into it.
func (r *pageReader) enter(n *html.Node) {
	switch n.DataAtom {
	case atom.Title:
		r.page.Title = content(n)
	case atom.A:
		r.link(n)
	case atom.Img:
		r.image(n)
	case atom.Link:
		r.sheet(n)
	case atom.Form:
		r.inForm(n)
		return
	case atom.Input, atom.Select, atom.Textarea, atom.Button:
		r.control(n)
	default:
		scrub(n)
	}
	r.children(n)
}

// scrub takes away every attribute that can run, load or leave, and any number that the page made up itself.
func scrub(n *html.Node) {
	n.Attr = slices.DeleteFunc(n.Attr, func(a html.Attribute) bool {
		away := []string{
			"href", "src", "srcset", "action", "method", "formaction", "formmethod", "target", "srcdoc", "data", "poster",
			"background", "ping", "http-equiv", "autofocus", "manifest", "profile", "longdesc", "usemap",
		}
		inside := a.Key == "href" && strings.HasPrefix(a.Val, "#") && n.DataAtom != atom.A
		return a.Namespace != "" || strings.HasPrefix(a.Key, "on") || strings.HasPrefix(a.Key, "data-fake-") ||
			slices.Contains(away, a.Key) && !inside
	})
}

// absolute resolves an address of the page; what is not http, https or data becomes empty.
func (r *pageReader) absolute(address string) string {
	u, err := r.base.Parse(strings.TrimSpace(address))
	if err != nil || !slices.Contains([]string{"http", "https", "data"}, u.Scheme) {
		return ""
	}
	return u.String()
}

func (r *pageReader) link(n *html.Node) {
	raw, has := lookup(n, "href")
	address := r.absolute(raw)
	scrub(n)
	if !has || address == "" || strings.HasPrefix(strings.TrimSpace(raw), "#") {
		return
	}
	setAttr(n, "href", "#")
	setAttr(n, "data-fake-link", strconv.Itoa(len(r.page.Links)))
	r.page.Links = append(r.page.Links, Link{content(n), address})
}

func (r *pageReader) image(n *html.Node) {
	address := r.absolute(attr(n, "src"))
	alt := attr(n, "alt")
	scrub(n)
	if address == "" {
		return
	}
	i := len(r.page.Images)
	setAttr(n, "src", fmt.Sprintf("asset?view=%s&image=%d", r.page.view, i))
	setAttr(n, "data-fake-image", strconv.Itoa(i))
	setAttr(n, "tabindex", "0")
	r.page.Images = append(r.page.Images, Image{i, address, alt})
}

func (r *pageReader) sheet(n *html.Node) {
	address := r.absolute(attr(n, "href"))
	scrub(n)
	if address == "" {
		return
	}
	setAttr(n, "href", fmt.Sprintf("asset?view=%s&sheet=%d", r.page.view, len(r.page.sheets)))
	r.page.sheets = append(r.page.sheets, address)
}
