package fakewechat

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

func (r *pageReader) inForm(n *html.Node) {
	form := Form{
		N: len(r.page.Forms), Action: r.absolute(attr(n, "action")), Method: http.MethodGet,
		Inputs: []Input{}, Buttons: []Button{},
	}
	if attr(n, "action") == "" {
		form.Action = r.page.URL
	}
	if strings.EqualFold(attr(n, "method"), http.MethodPost) {
		form.Method = http.MethodPost
	}
	scrub(n)
	setAttr(n, "data-fake-form", strconv.Itoa(form.N))
	r.page.Forms = append(r.page.Forms, form)
	outer := r.form
	r.form = &form
	r.children(n)
	r.page.Forms[form.N] = form
	r.form = outer
}

// control notes a field or button. Those that are disabled, or belong to no form, cannot be sent.
func (r *pageReader) control(n *html.Node) {
	formAction := r.absolute(attr(n, "formaction"))
	_, overrides := lookup(n, "formaction")
	scrub(n)
	if _, disabled := lookup(n, "disabled"); disabled || r.form == nil {
		return
	}
	kind := controlType(n)
	switch kind {
	case "submit", "image":
		setAttr(n, "data-fake-button", strconv.Itoa(len(r.form.Buttons)))
		b := Button{Text: buttonText(n), Name: attr(n, "name"), Value: attr(n, "value")}
		if overrides {
			b.action = formAction
		}
		r.form.Buttons = append(r.form.Buttons, b)
	case "button", "reset", "file":
	default:
		r.field(n, kind)
	}
}

func controlType(n *html.Node) string {
	kind := strings.ToLower(attr(n, "type"))
	switch {
	case n.DataAtom == atom.Select || n.DataAtom == atom.Textarea:
		return n.Data
	case kind == "" && n.DataAtom == atom.Button:
		return "submit"
	case kind == "":
		return "text"
	}
	return kind
}

func buttonText(n *html.Node) string {
	if n.DataAtom == atom.Input {
		return attr(n, "value")
	}
	return content(n)
}

func (r *pageReader) field(n *html.Node, kind string) {
	_, checked := lookup(n, "checked")
	_, required := lookup(n, "required")
	in := Input{Name: attr(n, "name"), Type: kind, Value: attr(n, "value"), Checked: checked, Required: required}
	if in.Name == "" {
		return
	}
	_, hasValue := lookup(n, "value")
	switch {
	case kind == "select":
		in.Value, in.Options = selectOptions(n)
	case kind == "textarea":
		in.Value = rawText(n)
	case (kind == "checkbox" || kind == "radio") && !hasValue:
		in.Value = "on"
	}
	r.form.Inputs = append(r.form.Inputs, in)
}

func rawText(n *html.Node) string {
	if n.FirstChild == nil {
		return ""
	}
	return n.FirstChild.Data
}

func selectOptions(n *html.Node) (chosen string, values []string) {
	for d := range n.Descendants() {
		if d.DataAtom != atom.Option {
			continue
		}
		value, has := lookup(d, "value")
		if !has {
			value = content(d)
		}
		if _, selected := lookup(d, "selected"); selected || len(values) == 0 {
			chosen = value
		}
		values = append(values, value)
	}
	return chosen, values
}

// answers are the values that a person gives one field: a JSON string, or a list of strings; an empty list unticks.
type answers []string

// UnmarshalJSON reads "x" as ["x"].
func (a *answers) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*a = answers{one}
		return nil
	}
	var many []string
	if err := json.Unmarshal(data, &many); err != nil {
		return errors.New("a field's value is a string or a list of strings")
	}
	*a = many
	return nil
}

// submit fills a form of the open page and presses a button of it.
func (s *Server) submit(ctx context.Context, p *person, n int, given map[string]answers, button string) (*Page, error) {
	page := s.openPage(p)
	if page == nil || n < 0 || n >= len(page.Forms) {
		return nil, refuse(http.StatusNotFound, "the open page has no form %d", n)
	}
	form := page.Forms[n]
	values, err := form.fill(given)
	if err != nil {
		return nil, err
	}
	action, err := form.press(button, values)
	if err != nil {
		return nil, err
	}
	to, err := url.Parse(action)
	if err != nil || to.Host == "" {
		return nil, refuse(http.StatusUnprocessableEntity, "the form leads to no http(s) address")
	}
	v := visit{method: form.Method, to: to, form: values, from: page.address}
	if form.Method == http.MethodGet {
		to.RawQuery = values.Encode()
	}
	return s.navigate(ctx, p, v)
}

func (s *Server) openPage(p *person) *Page {
	s.mu.Lock()
	defer s.mu.Unlock()
	return p.page
}

// fill gives the form's values as a browser sends them, checked as a browser checks them.
func (f *Form) fill(given map[string]answers) (url.Values, error) {
	values := url.Values{}
	known := map[string]bool{}
	for _, in := range f.Inputs {
		known[in.Name] = true
		if answer, is := given[in.Name]; is {
			values[in.Name] = answer
			continue
		}
		if in.Type != "checkbox" && in.Type != "radio" || in.Checked {
			values.Add(in.Name, in.Value)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !known[name] {
			return nil, refuse(http.StatusBadRequest, "the form has no field %q; it has %s", name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
		if err := f.allow(name, given[name]); err != nil {
			return nil, err
		}
	}
	return values, f.complete(values)
}

// allow refuses a choice that the page does not offer.
func (f *Form) allow(name string, answer answers) error {
	var offered []string
	for _, in := range f.Inputs {
		switch {
		case in.Name != name:
		case in.Type == "select":
			offered = append(offered, in.Options...)
		case in.Type == "radio" || in.Type == "checkbox":
			offered = append(offered, in.Value)
		default:
			return nil
		}
	}
	for _, value := range answer {
		if !slices.Contains(offered, value) {
			return refuse(http.StatusBadRequest, "field %q offers %q, not %q", name, offered, value)
		}
	}
	return nil
}

func (f *Form) complete(values url.Values) error {
	for _, in := range f.Inputs {
		if in.Required && values.Get(in.Name) == "" {
			return refuse(http.StatusUnprocessableEntity, "请填写此字段: field %q is required", in.Name)
		}
	}
	return nil
}

// press finds a button by its words, name, name=value or "#number" (empty: the first), adds its value, and returns where
// the form goes.
func (f *Form) press(want string, values url.Values) (action string, err error) {
	if len(f.Buttons) == 0 && want == "" {
		return f.Action, nil
	}
	for i, b := range f.Buttons {
		if !slices.Contains([]string{"", b.Text, b.Name, b.Name + "=" + b.Value, "#" + strconv.Itoa(i)}, want) {
			continue
		}
		if b.Name != "" {
			values.Add(b.Name, b.Value)
		}
		if b.action != "" {
			return b.action, nil
		}
		return f.Action, nil
	}
	return "", refuse(http.StatusNotFound, "the form has no button %q", want)
}
