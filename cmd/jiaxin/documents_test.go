package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"jiaxin/bridge/home"
	"jiaxin/bridge/store"
	"jiaxin/bridge/store/bolt"
)

// documentsWord writes what a stopped gateway keeps: the home of a person, or all documents whose lane has a prefix.
// What only says how time passed is left out, so that two files can be compared.
func documentsWord(w *world, _ *testscript.TestScript, _ bool, args []string) error {
	if err := want(args, 2, "documents FILE WHO|prefix=…"); err != nil {
		return err
	}
	var text string
	var err error
	if prefix, is := strings.CutPrefix(args[1], "prefix="); is {
		text, err = w.listDocuments(prefix)
	} else {
		text, err = w.settledHome(args[1])
	}
	if err != nil {
		return err
	}
	return os.WriteFile(w.path(args[0]), []byte(text), 0o600)
}

// stored reads the documents of a stopped gateway.
func (w *world) stored(prefix string) ([]store.Doc, error) {
	s, err := bolt.Open(filepath.Join(w.dir, "data", "jiaxin.db"), bolt.Options{})
	if err != nil {
		return nil, err
	}
	docs, err := s.Scan(context.Background(), prefix, store.Doc{}, 10000)
	return docs, errors.Join(err, s.Close())
}

func (w *world) listDocuments(prefix string) (string, error) {
	docs, err := w.stored(prefix)
	var b strings.Builder
	for _, d := range docs {
		fmt.Fprintf(&b, "%s %s %s\n", d.Lane, d.Key, d.Data)
	}
	return b.String(), err
}

// readHome finds the home of a person.
func (w *world) readHome(who string) (*home.Household, error) {
	p, err := w.phone(who, 0, 0)
	if err != nil {
		return nil, err
	}
	docs, err := w.stored("hh/")
	if err != nil {
		return nil, err
	}
	for _, d := range docs {
		var h home.Household
		if d.Key == "doc" && json.Unmarshal(d.Data, &h) == nil && h.Member(p.OpenID) != nil {
			return &h, nil
		}
	}
	return nil, fmt.Errorf("%s is in no home", who)
}

// settledHome is a home without what changes by itself when a gateway is started again.
func (w *world) settledHome(who string) (string, error) {
	h, err := w.readHome(who)
	if err != nil {
		return "", err
	}
	h.Seq = 0
	for i := range h.Devices {
		d := &h.Devices[i]
		d.Online, d.Heard, d.Rules = false, time.Time{}, nil
	}
	data, err := json.MarshalIndent(h, "", " ")
	return string(data) + "\n", err
}
