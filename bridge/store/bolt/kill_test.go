package bolt

import (
	"bufio"
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"
)

// TestKill kills a process that commits, with SIGKILL at random moments, also while it makes its file. It cannot see
// a missing sync, as the kernel keeps what was written: for that there is TestPowerCut.
func TestKill(t *testing.T) {
	t.Parallel()
	rounds := campaign(12, 2000)
	path, total := "", 0
	var told acks
	for i := range rounds {
		if i%6 == 0 {
			path, told = filepath.Join(t.TempDir(), "jiaxin.db"), acks{}
		}
		before := told.total()
		killOnce(t, modeHonest, path, &told, i%3 == 0)
		total += told.total() - before
		if err := told.holds(path); err != nil {
			t.Fatalf("after kill %d: %v", i, err)
		}
	}
	t.Logf("%d kills, %d commits acknowledged, none lost", rounds, total)
}

// TestKillFindsSeededBugs shows that TestKill can fail.
func TestKillFindsSeededBugs(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{modeAckFirst, modeSplit} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "jiaxin.db")
			var told acks
			for round := 1; round <= 100; round++ {
				killOnce(t, mode, path, &told, false)
				if err := told.holds(path); err != nil {
					t.Logf("found in round %d: %v", round, err)
					return
				}
			}
			t.Fatal("100 kills did not find the bug")
		})
	}
}

// killOnce runs a child and kills it: early, perhaps before it has a file, or after it has acknowledged a few.
func killOnce(t *testing.T, mode, path string, told *acks, early bool) {
	t.Helper()
	ctx, kill := context.WithTimeout(t.Context(), time.Minute)
	defer kill()
	cmd := childCommand(ctx, mode, path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if early {
		defer time.AfterFunc(time.Duration(rand.IntN(60))*time.Millisecond, kill).Stop()
	}
	left := 1 + rand.IntN(60)
	told.listen(bufio.NewScanner(out), func(line string) {
		if left--; left == 0 {
			kill()
		}
	})
	if cmd.Wait() == nil {
		t.Fatal("the child ended by itself")
	}
}
