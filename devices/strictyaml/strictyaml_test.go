package strictyaml_test

import (
	"errors"
	"strings"
	"testing"

	"jiaxin/devices/strictyaml"
)

const file = `# a comment
name: 灯
size: {width: 2, height: -1.5e1}   # flow
list:
  - a
  - [b, "c d"]
on: true
text: |
  two
  lines
nothing:
`

func parse(t *testing.T, text string) (*strictyaml.Node, error) {
	t.Helper()
	var p strictyaml.Problems
	n := strictyaml.Parse("f.yaml", []byte(text), &p)
	return n, p.Err()
}

func TestEveryValueKnowsItsPlace(t *testing.T) {
	t.Parallel()
	n, err := parse(t, file)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path      string
		line, col int
		kind      strictyaml.Kind
		value     any
	}{
		{"", 2, 1, strictyaml.Map, nil},
		{"name", 2, 7, strictyaml.Text, "灯"},
		{"size", 3, 7, strictyaml.Map, nil},
		{"size.height", 3, 26, strictyaml.Number, -15.0},
		{"size.depth", 3, 7, strictyaml.Map, nil}, // nearest above
		{"list.1.1", 6, 9, strictyaml.Text, "c d"},
		{"list.7", 5, 3, strictyaml.List, nil},
		{"on", 7, 5, strictyaml.Bool, true},
		{"text", 8, 7, strictyaml.Text, "two\nlines\n"},
		{"nothing", 11, 10, strictyaml.Null, nil},
	} {
		got := n.At(strings.Split(c.path, ".")...)
		if got.Line != c.line || got.Col != c.col || got.Kind != c.kind || got.Value != c.value {
			t.Errorf("%s is %s %v at %d:%d, want %s %v at %d:%d", c.path, got.Kind, got.Value, got.Line, got.Col, c.kind, c.value, c.line, c.col)
		}
	}
}

func TestWhatIsNotPlainYAMLIsRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                  "f.yaml:1:1: the file must hold exactly one document",
		"a: 1\n---\nb: 2\n": "f.yaml:1:1: the file must hold exactly one document",
		"a: {b: [}":         "f.yaml:1:9: this is not YAML",
		"a:\n\t- x":         "f.yaml:2:1: this is not YAML",
		"a: &x 1\nb: *x":    "f.yaml:1:4: anchors, aliases",
		"a: !!str 5":        "f.yaml:1:4: anchors, aliases",
		"a: .nan":           "f.yaml:1:4: anchors, aliases, tags and the like",
		"a: 1\nb: 2\na: 3":  `f.yaml:3:1: "a" is given twice, first on line 1`,
		"5: x":              "f.yaml:1:1: a key must be a word",
		strings.Repeat("[", 30) + strings.Repeat("]", 30): "f.yaml:1:22: this is nested more than 20 levels deep",
		strings.Repeat("# long\n", 40000):                 "f.yaml:1:1: the file has 280000 bytes",
	} {
		_, err := parse(t, text)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.30q gave %v; want %s", text, err, want)
		}
	}
}

func TestReadersTellWhatTheyWanted(t *testing.T) {
	t.Parallel()
	n, err := parse(t, file)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		read func(p *strictyaml.Problems, n *strictyaml.Node)
		want string
	}{
		{"name", func(p *strictyaml.Problems, n *strictyaml.Node) { p.Number(n) }, "2:7: this must be a number, not a text"},
		{"size.width", func(p *strictyaml.Problems, n *strictyaml.Node) { p.Text(n) }, "3:15: this must be a text, not a number: put it in quotes"},
		{"size", func(p *strictyaml.Problems, n *strictyaml.Node) { p.Items(n) }, "3:7: this must be a list, not a map"},
		{"size", func(p *strictyaml.Problems, n *strictyaml.Node) { p.Scalar(n) }, "3:7: this must be a text, a number, true or false, not a map"},
		{"name", func(p *strictyaml.Problems, n *strictyaml.Node) { p.Bool(n) }, "2:7: this must be true or false, not a text"},
		{"name", func(p *strictyaml.Problems, n *strictyaml.Node) { p.Duration(n) }, "2:7: this must be a time span such as"},
		{"nothing", func(p *strictyaml.Problems, n *strictyaml.Node) { p.Text(n) }, "11:10: this must be a text, not nothing"},
		{"list", func(p *strictyaml.Problems, n *strictyaml.Node) { p.Each(n, func(strictyaml.Field) {}) }, "5:3: this must be a map, not a list"},
		{"size", func(p *strictyaml.Problems, n *strictyaml.Node) {
			p.Keys(n, map[string]func(*strictyaml.Node){"width": func(*strictyaml.Node) {}, "heigth": func(*strictyaml.Node) {}})
		}, `3:18: unknown key "height"; did you mean "heigth"?`},
	} {
		var p strictyaml.Problems
		c.read(&p, n.At(strings.Split(c.path, ".")...))
		if err := p.Err(); err == nil || !strings.HasPrefix(err.Error(), "f.yaml:"+c.want) {
			t.Errorf("%s: %v; want %s", c.path, err, c.want)
		}
	}
}

func TestProblemsAreSortedAndToldOnce(t *testing.T) {
	t.Parallel()
	var p strictyaml.Problems
	if p.Err() != nil {
		t.Error("no problem is an error")
	}
	late, early := &strictyaml.Node{File: "b", Line: 1, Col: 1}, &strictyaml.Node{File: "a", Line: 10, Col: 2}
	p.Add(late, "late")
	p.Add(early, "early")
	p.Add(late, "late")
	if got := p.Err().Error(); got != "a:10:2: early\nb:1:1: late" {
		t.Errorf("got %s", got)
	}
	var problem *strictyaml.Problem
	if !errors.As(p.Err(), &problem) || problem.Line != 10 {
		t.Errorf("the first is %v", problem)
	}
}

func TestSuggestions(t *testing.T) {
	t.Parallel()
	known := []string{"power", "target", "go"}
	for word, want := range map[string]string{
		"powr": `; did you mean "power"?`, "tagret": `; did you mean "target"?`, "xx": "; known are power, target and go",
		"wholly different": "; known are power, target and go",
	} {
		if got := strictyaml.Suggest(word, known); got != want {
			t.Errorf("Suggest(%q) = %s, want %s", word, got, want)
		}
	}
	if got := strictyaml.Suggest("x", nil); got != "; there are none" {
		t.Errorf("got %s", got)
	}
}

// FuzzParse: no file makes it panic, and a tree without problems has only places that are in the file.
func FuzzParse(f *testing.F) {
	f.Add(file)
	f.Add("a: [{b: c}, 1]\n")
	f.Add("? x\n: y\n")
	f.Fuzz(func(t *testing.T, text string) {
		var p strictyaml.Problems
		n := strictyaml.Parse("f", []byte(text), &p)
		if n == nil && p.Err() == nil {
			t.Fatal("neither a tree nor a problem")
		}
		if n != nil && p.Err() == nil && n.Line > strings.Count(text, "\n")+strings.Count(text, "\r")+1 {
			t.Fatalf("line %d of %q", n.Line, text)
		}
	})
}
