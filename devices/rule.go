package devices

import (
	"errors"
	"fmt"
	"slices"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"jiaxin/devices/strictyaml"
)

// Online is the virtual property that expressions may look at: whether the device is connected.
const Online = "online"

// rule is the compiled When of one event.
type rule struct {
	event   string
	needs   []string // the properties it looks at
	program *vm.Program
}

// Raised says of each event with a When whether it holds now, given all properties reported so far, Online among
// them. An event that is not in the answer is unknown: its expression looks at a property that was never
// reported. Unknown is not true, and it does not end what was true before.
func (m *Model) Raised(props map[string]any) map[string]bool {
	known := make(map[string]bool, len(m.rules))
	for _, r := range m.rules {
		if holds, ok := r.holds(props); ok {
			known[r.event] = holds
		}
	}
	return known
}

// Watches says whether some event's When looks at the property, so that a report of it can raise or end something.
func (m *Model) Watches(key string) bool {
	return slices.ContainsFunc(m.rules, func(r rule) bool { return slices.Contains(r.needs, key) })
}

// LooksAt says whether the When of this event looks at the property.
func (m *Model) LooksAt(event, key string) bool {
	return slices.ContainsFunc(m.rules, func(r rule) bool { return r.event == event && slices.Contains(r.needs, key) })
}

func (r rule) holds(props map[string]any) (holds, known bool) {
	for _, key := range r.needs {
		if _, ok := props[key]; !ok {
			return false, false
		}
	}
	out, err := expr.Run(r.program, props)
	holds, ok := out.(bool)
	return holds, ok && err == nil // it fails only on values that the Decode functions never let in
}

// maxExpression bounds an expression in characters.
const maxExpression = 300

// compileRule checks and compiles a When. The language is small on purpose, so that a rule is fast, cannot fail
// and can be read by anybody: properties, literals, comparisons, in, and, or, not, + - *.
func compileRule(m *Model, event, when string) (rule, error) {
	if len(when) > maxExpression {
		return rule{}, fmt.Errorf("the expression is longer than %d characters: make it simpler", maxExpression)
	}
	tree, err := parser.Parse(when)
	if err != nil {
		return rule{}, err
	}
	w := &walker{model: m}
	if w.walk(tree.Node); w.err != nil {
		return rule{}, w.err
	}
	if len(w.needs) == 0 {
		return rule{}, errors.New("the expression looks at no property, so it would always or never hold")
	}
	program, err := expr.Compile(when, expr.Env(m.environment()), expr.AsBool(), expr.DisableAllBuiltins())
	return rule{event: event, needs: w.needs, program: program}, err
}

// environment tells the expression checker the type of each property.
func (m *Model) environment() map[string]any {
	env := map[string]any{Online: false}
	for _, p := range m.Properties {
		env[p.Key] = p.zero()
	}
	return env
}

func (p Property) zero() any {
	switch p.Kind {
	case Switch:
		return false
	case Number:
		return 0.0
	}
	return ""
}

// walker looks through an expression for what is not in the small language, and for misspelt names.
type walker struct {
	model *Model
	needs []string
	err   error // the first
}

func (w *walker) walk(n ast.Node) {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		w.name(n)
	case *ast.UnaryNode:
		w.walk(n.Node)
	case *ast.BinaryNode:
		w.binary(n)
	case *ast.ArrayNode:
		for _, item := range n.Nodes {
			w.walk(item)
		}
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.StringNode:
	default:
		w.fail(n, "this is not used in rules: write comparisons of properties, joined by and, or, not")
	}
}

func (w *walker) name(n *ast.IdentifierNode) {
	_, ok := w.model.Property(n.Value)
	if !ok && n.Value != Online {
		w.fail(n, "unknown property %q%s", n.Value, strictyaml.Suggest(n.Value, w.model.propertyKeys()))
		return
	}
	if !slices.Contains(w.needs, n.Value) {
		w.needs = append(w.needs, n.Value)
	}
}

func (w *walker) binary(n *ast.BinaryNode) {
	allowed := []string{"==", "!=", "<", "<=", ">", ">=", "in", "and", "&&", "or", "||", "+", "-", "*"}
	if !slices.Contains(allowed, n.Operator) {
		w.fail(n, "the operator %q is not used in rules%s", n.Operator, strictyaml.Suggest(n.Operator, allowed))
		return
	}
	w.walk(n.Left)
	w.walk(n.Right)
	w.enumValues(n.Left, n.Right)
	w.enumValues(n.Right, n.Left)
}

// enumValues catches `phase == "dnoe"`, which would be well typed and never true.
func (w *walker) enumValues(left, right ast.Node) {
	id, ok := left.(*ast.IdentifierNode)
	if !ok {
		return
	}
	p, ok := w.model.Property(id.Value)
	if !ok || p.Kind != Enum {
		return
	}
	for _, literal := range literals(right) {
		if _, ok := p.Value(literal.Value); !ok {
			w.fail(literal, "%s is never %q%s", p.Key, literal.Value, strictyaml.Suggest(literal.Value, p.valueKeys()))
		}
	}
}

func literals(n ast.Node) (out []*ast.StringNode) {
	switch n := n.(type) {
	case *ast.StringNode:
		return []*ast.StringNode{n}
	case *ast.ArrayNode:
		for _, item := range n.Nodes {
			out = append(out, literals(item)...)
		}
	}
	return out
}

func (w *walker) fail(at ast.Node, format string, args ...any) {
	if w.err == nil {
		w.err = &file.Error{Location: at.Location(), Message: fmt.Sprintf(format, args...)}
	}
}

// errorPlace splits an expression's error into what is wrong and the character, from 0, where it is.
func errorPlace(err error) (message string, offset int) {
	var at *file.Error
	if errors.As(err, &at) {
		return at.Message, at.From
	}
	return err.Error(), 0
}
