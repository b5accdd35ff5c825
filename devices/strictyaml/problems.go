package strictyaml

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Problem is one mistake in a file. Its message says what is wrong and what to do.
type Problem struct {
	File      string
	Line, Col int
	Message   string
}

// Error is "file:line:col: message", which editors can jump to.
func (p *Problem) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Col, p.Message)
}

// Problems collects what is wrong. The zero value is ready; it is not safe for concurrent use.
type Problems struct {
	found []Problem
}

// Add notes a problem at a node.
func (p *Problems) Add(at *Node, format string, args ...any) {
	p.AddProblem(Problem{File: at.File, Line: at.Line, Col: at.Col, Message: fmt.Sprintf(format, args...)})
}

// AddProblem notes a problem that was found elsewhere.
func (p *Problems) AddProblem(problem Problem) { p.found = append(p.found, problem) }

// All returns the problems in the order they were found.
func (p *Problems) All() []Problem { return slices.Clone(p.found) }

// Err returns all problems joined, each a *Problem, by file and line and each only once; nil when there are none.
func (p *Problems) Err() error {
	sorted := slices.Clone(p.found)
	slices.SortStableFunc(sorted, compare)
	sorted = slices.Compact(sorted)
	errs := make([]error, len(sorted))
	for i := range sorted {
		errs[i] = &sorted[i]
	}
	return errors.Join(errs...)
}

func compare(a, b Problem) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col),
		cmp.Compare(a.Message, b.Message))
}

// maxListed is how many known words are worth reading through.
const maxListed = 12

// Suggest returns `; did you mean "x"?` for the known word nearest to a mistyped one, or `; known are …` when
// none is near and they are few.
func Suggest(word string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if d := editDistance(word, k); d < distance && d < len(k) {
			best, distance = k, d
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("; did you mean %q?", best)
	case len(known) == 0:
		return "; there are none"
	case len(known) > maxListed:
		return fmt.Sprintf("; there are %d, and none is like it", len(known))
	}
	return "; known are " + list(known)
}

func list(words []string) string {
	out := ""
	for i, w := range words {
		switch {
		case i == 0:
		case i == len(words)-1:
			out += " and "
		default:
			out += ", "
		}
		out += w
	}
	return out
}

// editDistance is Levenshtein's, over bytes: keys are ASCII.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
