package bolt

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"jiaxin/bridge/store"
)

// The crash tests run this test binary again as a child that commits and tells what was acknowledged. In some modes
// it has a seeded bug, which the test must find: a test that cannot fail proves nothing.
const (
	modeHonest   = "honest"
	modeAckFirst = "ack before commit" // seeded bug
	modeSplit    = "three commits"     // seeded bug
	modeNoSync   = "no sync"           // seeded bug
	modeCheck    = "check"             // not a writer: what a program with CheckInChild offers
	modeFlip     = "flip"              // reads files with flipped bits, see damage_test.go
	modeJudge    = "judge"             // judges images after a power cut, see power_test.go
)

func TestMain(m *testing.M) {
	if mode := os.Getenv("JIAXIN_STORE_CHILD"); mode != "" {
		os.Exit(child(mode, os.Getenv("JIAXIN_STORE_ARG")))
	}
	os.Exit(m.Run())
}

func child(mode, arg string) int {
	switch mode {
	case modeCheck:
		err := Check(arg)
		fmt.Println(err)
		return ExitCode(err)
	case modeFlip:
		return flipChild(arg)
	case modeJudge:
		return judgeChild(arg)
	}
	return commitChild(mode, arg)
}

// childCommand is this binary in a mode.
func childCommand(ctx context.Context, mode, arg string, prefix ...string) *exec.Cmd {
	argv := append(prefix, os.Args[0])
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), childEnv(mode, arg)...)
	return cmd
}

// childEnv chooses the mode. Where bbolt panics on a damaged file, it leaves a goroutine behind that races with its
// own clean-up; the race detector's exit code for that would hide how the child ended.
func childEnv(mode, arg string) []string {
	env := []string{"JIAXIN_STORE_CHILD=" + mode, "JIAXIN_STORE_ARG=" + arg}
	if mode == modeFlip || mode == modeCheck || mode == modeJudge {
		env = append(env, "GORACE=exitcode=0")
	}
	return env
}

// campaign returns the long figure if JIAXIN_CAMPAIGN=1 asks for it.
func campaign(short, long int) int {
	if os.Getenv("JIAXIN_CAMPAIGN") == "1" {
		return long
	}
	return short
}

const workers = 4

// commitChild commits until it is killed, or for so many commits as the argument "path,commits" says. Each worker counts
// in its own lane: one commit sets the documents a, b and c to the same number.
func commitChild(mode, arg string) int {
	path, count, _ := strings.Cut(arg, ",")
	limit, _ := strconv.Atoi(count)
	s, err := Open(path, Options{noSync: mode == modeNoSync})
	if err != nil {
		fmt.Println("failed", err)
		return 1
	}
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			if err := (&worker{s: s, mode: mode, lane: fmt.Sprintf("hh/%d", w), id: w}).run(limit); err != nil {
				say("failed %v", err)
			}
		})
	}
	all.Wait()
	return 0
}

// say writes one line with one system call, so that a trace shows when.
func say(format string, args ...any) {
	os.Stdout.WriteString(fmt.Sprintf(format, args...) + "\n")
}

type worker struct {
	s    *Store
	mode string
	lane string
	id   int
}

func (w *worker) run(limit int) error {
	n, err := w.first()
	for done := 0; err == nil && (limit == 0 || done < limit); {
		err = w.step(n + 1)
		if errors.Is(err, syscall.ENOSPC) && !errors.Is(err, store.ErrUnknown) {
			say("full")
			err = nil
			continue
		}
		n, done = n+1, done+1
	}
	return err
}

// first is the number to go on from.
func (w *worker) first() (int, error) {
	doc, err := w.s.Get(context.Background(), w.lane, "a")
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	return number(doc.Data), err
}

func (w *worker) step(n int) error {
	if w.mode == modeAckFirst {
		say("ack %d %d", w.id, n)
	}
	if err := w.commit(n); err != nil {
		return err
	}
	if w.mode != modeAckFirst {
		say("ack %d %d", w.id, n)
	}
	return nil
}

func (w *worker) commit(n int) error {
	var writes []store.Write
	for _, key := range []string{"a", "b", "c"} {
		data := fmt.Sprintf("%d %s", n, strings.Repeat("家", n*37%300))
		writes = append(writes, store.Write{Key: key, Expect: store.AnyRev, Data: []byte(data), Due: time.UnixMilli(int64(n))})
	}
	if w.mode != modeSplit {
		_, err := w.s.Commit(context.Background(), w.lane, writes...)
		return err
	}
	for _, write := range writes {
		if _, err := w.s.Commit(context.Background(), w.lane, write); err != nil {
			return err
		}
	}
	return nil
}

// number is what a document of a worker says.
func number(data []byte) int {
	head, _, _ := strings.Cut(string(data), " ")
	n, err := strconv.Atoi(head)
	if err != nil {
		return -1
	}
	return n
}

// acks is the highest number that each worker saw acknowledged.
type acks [workers]int

// note takes a line that the child said.
func (a *acks) note(line string) {
	var w, n int
	if _, err := fmt.Sscanf(line, "ack %d %d", &w, &n); err == nil && w < workers {
		a[w] = max(a[w], n)
	}
}

func (a *acks) total() (sum int) {
	for _, n := range a {
		sum += n
	}
	return sum
}

// holds opens the store and says what of the promise it breaks: every acknowledged commit is there, whole, and so is
// what else is there; the due index agrees.
func (a *acks) holds(path string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && a.total() == 0 {
		return nil
	}
	s, err := Open(path, Options{noSync: true}) // only to look
	if err != nil {
		return err
	}
	defer s.Close()
	for w, acked := range a {
		if err := workerHolds(s, fmt.Sprintf("hh/%d", w), acked); err != nil {
			return err
		}
	}
	return s.db.View(checkAll)
}

func workerHolds(s *Store, lane string, acked int) error {
	docs, err := s.Scan(context.Background(), lane, store.Doc{}, 10)
	if err != nil {
		return err
	}
	if len(docs) == 0 && acked == 0 {
		return nil
	}
	if len(docs) != 3 {
		return fmt.Errorf("%s: %d was acknowledged, but there are %d documents of 3", lane, acked, len(docs))
	}
	n := number(docs[0].Data)
	for _, d := range docs {
		if number(d.Data) != n {
			return fmt.Errorf("%s: a part of a commit: %s has %d, %s has %d", lane, docs[0].Key, n, d.Key, number(d.Data))
		}
	}
	if n < acked {
		return fmt.Errorf("%s: %d was acknowledged, but there is %d", lane, acked, n)
	}
	return nil
}

// listen reads the child's lines and calls each after noting it, until the child ends.
func (a *acks) listen(lines *bufio.Scanner, each func(line string)) {
	for lines.Scan() {
		a.note(lines.Text())
		each(lines.Text())
	}
}
