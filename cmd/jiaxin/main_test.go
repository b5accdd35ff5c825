package main

import (
	"maps"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets this test binary also be the command jiaxin, so that the scripts run the real program as a process of
// its own, which can be killed.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"jiaxin": func() { os.Exit(run(os.Args[1:])) }})
}

// TestStories runs testdata/script: each file is a story of a home, its people and its gateway. world_test.go lists the
// words that they are written in.
func TestStories(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               func(e *testscript.Env) error { return setUp(e) },
		Cmds:                maps.Collect(words()),
	})
}
