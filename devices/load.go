package devices

import (
	"embed"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"jiaxin/devices/strictyaml"
)

//go:embed models
var standard embed.FS

// Standard returns the models that come with Jiaxin: standard/ac, standard/washer and the others that makers extend.
func Standard() fs.FS { return standard }

// Catalog holds every product that devices may be of. It never changes after Load and is safe for concurrent use.
type Catalog struct {
	models map[string]*Model
	order  []*Model
}

// Model returns a product by its "<maker>/<model>".
func (c *Catalog) Model(id string) (*Model, bool) {
	m, ok := c.models[id]
	return m, ok
}

// Models returns all products in the order of their ids. The slice is the caller's, the models are not.
func (c *Catalog) Models() []*Model { return slices.Clone(c.order) }

// Load reads models/<maker>/<model>.yaml of each file system, the standard one first, then a maker's folder; one
// without models/ adds nothing. The error joins every mistake that was found, each a *strictyaml.Problem with file, line,
// column and cure; there is no Catalog then, so that nothing half-right ever runs.
func Load(fsys ...fs.FS) (*Catalog, error) {
	l := loader{files: map[string]*strictyaml.Node{}, built: map[string]*build{}}
	for _, f := range fsys {
		l.readAll(f)
	}
	for _, id := range l.ids() {
		l.build(id)
	}
	if err := l.problems().Err(); err != nil {
		return nil, err
	}
	return l.catalog(), nil
}

// loader turns files into models.
type loader struct {
	files map[string]*strictyaml.Node // model id → its file as written
	built map[string]*build
	early strictyaml.Problems // of files that are no models
}

// build is a model in the making.
type build struct {
	tree     *strictyaml.Node // merged over its base; nil while under way, to notice a circle
	model    *Model
	abstract bool
	problems strictyaml.Problems // everything wrong with the merged tree
	told     strictyaml.Problems // of these, what was not told of a base already
}

func (l *loader) ids() []string {
	ids := make([]string, 0, len(l.files))
	for id := range l.files {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func (l *loader) readAll(fsys fs.FS) {
	err := fs.WalkDir(fsys, "models", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if ext := path.Ext(name); ext == ".yaml" || ext == ".yml" {
			l.readFile(fsys, name)
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.early.Add(&strictyaml.Node{File: "models", Line: 1, Col: 1}, "this folder cannot be read: %v", err)
	}
}

func (l *loader) readFile(fsys fs.FS, name string) {
	start := &strictyaml.Node{File: name, Line: 1, Col: 1}
	id := strings.TrimSuffix(strings.TrimPrefix(name, "models/"), ".yaml")
	if !validProduct(id) {
		l.early.Add(start, "models stand in models/<maker>/<model>.yaml, named with a-z, 0-9, _ and -: move this file there")
		return
	}
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		l.early.Add(start, "this file cannot be read: %v", err)
		return
	}
	tree := strictyaml.Parse(name, data, &l.early)
	if tree == nil {
		return
	}
	if _, ok := l.files[id]; ok {
		l.early.Add(tree, "the model %s is there already: give yours another name and let it extend that one", id)
		return
	}
	l.checkID(tree, id)
	l.files[id] = tree
}

func (l *loader) checkID(tree *strictyaml.Node, id string) {
	said := tree.Get("model")
	if said == nil {
		l.early.Add(tree, "the file must begin with `model: %s`", id)
		return
	}
	if said.Value != id {
		l.early.Add(said, "by its folder and file this is the model %s: write that, or move the file", id)
	}
}

// build makes the model, and its base before it.
func (l *loader) build(id string) *build {
	if b, ok := l.built[id]; ok {
		return b
	}
	b := &build{}
	l.built[id] = b
	own := l.files[id]
	base := l.base(b, own)
	b.tree = extend(base, own, &b.problems)
	r := reader{problems: &b.problems}
	b.model, b.abstract = r.model(id, b.tree)
	b.model.tree = b.tree
	(&checker{model: b.model, tree: b.tree, problems: &b.problems}).check()
	b.told = ownProblems(b, base, own)
	return b
}

// base finds what a model extends; nil if nothing, or nothing usable.
func (l *loader) base(b *build, own *strictyaml.Node) *build {
	at := own.Get("extends")
	if at == nil {
		return nil
	}
	id := b.problems.Text(at)
	if _, ok := l.files[id]; !ok {
		b.problems.Add(at, "there is no model %q%s", id, strictyaml.Suggest(id, l.ids()))
		return nil
	}
	base := l.build(id)
	if base.tree == nil {
		b.problems.Add(at, "%s extends this model in turn: break the circle", id)
		return nil
	}
	return base
}

// ownProblems leaves out what is the base's fault alone, and names the model where a mistake shows in the base's lines.
func ownProblems(b, base *build, own *strictyaml.Node) strictyaml.Problems {
	if base == nil {
		return b.problems
	}
	known := base.problems.All()
	var out strictyaml.Problems
	for _, p := range b.problems.All() {
		if slices.Contains(known, p) {
			continue
		}
		if p.File != own.File {
			p.Message += " (as " + own.File + " extends it)"
		}
		out.AddProblem(p)
	}
	return out
}

func (l *loader) problems() *strictyaml.Problems {
	all := &l.early
	for _, id := range l.ids() {
		for _, p := range l.built[id].told.All() {
			all.AddProblem(p)
		}
	}
	return all
}

func (l *loader) catalog() *Catalog {
	c := &Catalog{models: map[string]*Model{}}
	for _, id := range l.ids() {
		if b := l.built[id]; !b.abstract {
			c.models[id] = b.model
			c.order = append(c.order, b.model)
		}
	}
	return c
}
