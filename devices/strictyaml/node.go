// Package strictyaml reads YAML that people write by hand, and tells them where and how it is wrong.
//
// Promise: every value knows its file, line and column, also after it was merged with another file's; nothing is
// guessed or skipped: an unknown or doubled key, a value of another type, an anchor, an alias or a tag is a
// Problem with a cure. All problems of a file are collected, not only the first.
package strictyaml

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// MaxSize is the size in bytes above which a file is refused.
const MaxSize = 256 << 10

// Kind is what a Node is.
type Kind string

// The kinds of Node. A missing value (`key:` with nothing behind it) is Null.
const (
	Map    Kind = "a map"
	List   Kind = "a list"
	Text   Kind = "a text"
	Number Kind = "a number"
	Bool   Kind = "true or false"
	Null   Kind = "nothing"
	Broken Kind = "broken" // has been told as a problem already; no reader complains again
)

// Node is one value of a file, and where it stands.
type Node struct {
	File      string
	Line, Col int // from 1; columns are characters
	Kind      Kind
	Value     any     // string, float64 or bool; nil for the other kinds
	Plain     bool    // a text written on one line without quotes, so that Col+n is its n-th character
	Fields    []Field // of a Map, in the file's order
	Items     []*Node // of a List
}

// Field is one entry of a Map.
type Field struct {
	Name  string
	Key   *Node // where the key itself stands
	Value *Node
}

// Get returns the value under a key, or nil.
func (n *Node) Get(name string) *Node {
	for _, f := range n.Fields {
		if f.Name == name {
			return f.Value
		}
	}
	return nil
}

// At follows the keys down and returns the last value on the way that exists: n itself when none does. A list's items
// are named by their numbers from 0. It serves to say where a problem is that was found after reading.
func (n *Node) At(path ...string) *Node {
	for _, name := range path {
		next := n.Get(name)
		if i, err := strconv.Atoi(name); err == nil && n.Kind == List && i < len(n.Items) {
			next = n.Items[i]
		}
		if next == nil {
			return n
		}
		n = next
	}
	return n
}

// Parse reads one document; file is the name used in problems. What is wrong goes to p; it returns nil when there is
// nothing that could be read on with.
func Parse(file string, data []byte, p *Problems) *Node {
	top := &Node{File: file, Line: 1, Col: 1, Kind: Null}
	if len(data) > MaxSize {
		p.Add(top, "the file has %d bytes: more than %d are refused; split it", len(data), MaxSize)
		return nil
	}
	tree, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey()) // doubled keys are told below, all of them
	if err != nil {
		p.AddProblem(syntaxProblem(file, err))
		return nil
	}
	body, ok := onlyDocument(tree)
	if !ok {
		p.Add(top, "the file must hold exactly one document that is not empty")
		return nil
	}
	return (&builder{file: file, problems: p}).node(body, 0)
}

func onlyDocument(tree *ast.File) (ast.Node, bool) {
	if len(tree.Docs) != 1 || tree.Docs[0].Body == nil {
		return nil, false
	}
	return tree.Docs[0].Body, true
}

func syntaxProblem(file string, err error) Problem {
	var at yaml.Error
	if !errors.As(err, &at) || at.GetToken() == nil {
		return Problem{File: file, Line: 1, Col: 1, Message: "this is not YAML: " + err.Error()}
	}
	pos := at.GetToken().Position
	return Problem{File: file, Line: pos.Line, Col: pos.Column, Message: "this is not YAML: " + at.GetMessage()}
}

// maxDepth bounds nesting, since files may come from a stranger's product folder.
const maxDepth = 20

type builder struct {
	file     string
	problems *Problems
}

func (b *builder) node(n ast.Node, depth int) *Node {
	out := b.place(n)
	if depth > maxDepth {
		out.Kind = Broken
		b.problems.Add(out, "this is nested more than %d levels deep: write it flatter", maxDepth)
		return out
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		b.mapping(out, n, depth)
	case *ast.SequenceNode:
		out.Kind = List
		for _, item := range n.Values {
			out.Items = append(out.Items, b.node(item, depth+1))
		}
	default:
		b.scalar(out, n)
	}
	return out
}

func (b *builder) place(n ast.Node) *Node {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		n = m.Values[0].Key // a block's own token is its first colon
	}
	pos := n.GetToken().Position
	return &Node{File: b.file, Line: pos.Line, Col: pos.Column, Kind: Null}
}

func (b *builder) mapping(out *Node, m *ast.MappingNode, depth int) {
	out.Kind = Map
	for _, entry := range m.Values {
		key := b.node(entry.Key, depth+1)
		name, ok := keyName(key)
		if !ok {
			b.problems.Add(key, "a key must be a word")
			continue
		}
		if first := slices.IndexFunc(out.Fields, func(f Field) bool { return f.Name == name }); first >= 0 {
			b.problems.Add(key, "%q is given twice, first on line %d: keep one", name, out.Fields[first].Key.Line)
			continue
		}
		out.Fields = append(out.Fields, Field{Name: name, Key: key, Value: b.node(entry.Value, depth+1)})
	}
}

// keyName lets true and false be keys too: they name a switch's values.
func keyName(key *Node) (string, bool) {
	switch v := key.Value.(type) {
	case string:
		return v, v != ""
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

func (b *builder) scalar(out *Node, n ast.Node) {
	switch n := n.(type) {
	case *ast.StringNode:
		out.Kind, out.Value = Text, n.Value
		out.Plain = n.Token.Type == token.StringType && !strings.Contains(strings.TrimSpace(n.Token.Origin), "\n")
	case *ast.LiteralNode:
		out.Kind, out.Value = Text, n.Value.Value
	case *ast.BoolNode:
		out.Kind, out.Value = Bool, n.Value
	case *ast.NullNode:
	case *ast.IntegerNode, *ast.FloatNode:
		b.number(out, n.(ast.ScalarNode))
	default:
		out.Kind = Broken
		b.problems.Add(out, "anchors, aliases, tags and the like are not used here: write the value itself, in quotes if it is a text")
	}
}

func (b *builder) number(out *Node, n ast.ScalarNode) {
	value, err := strconv.ParseFloat(fmt.Sprint(n.GetValue()), 64)
	if err != nil || math.IsInf(value, 0) || math.IsNaN(value) {
		out.Kind = Broken
		b.problems.Add(out, "this number is too large")
		return
	}
	out.Kind, out.Value = Number, value
}
