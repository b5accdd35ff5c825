package bolt

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestPowerCut records the system calls of a process that commits, and then cuts the power at random moments: what
// was synced is on disk, and of what was not, any 512-byte sectors may be. Each such image must open and hold every
// commit that was acknowledged by then.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	for round := range campaign(1, 20) {
		trace := traced(t, modeHonest, campaign(15, 200))
		images := campaign(300, 2000)
		n, err := judge(trace, images, t.TempDir(), uint64(round))
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		t.Logf("round %d: %d images, %d of them with something at risk, nothing lost", round, images, n)
	}
}

// TestPowerCutFindsSeededBugs shows that TestPowerCut can fail. The images are judged in a child, as they may be bad
// enough to crash it, which is a finding too.
func TestPowerCutFindsSeededBugs(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{modeNoSync, modeAckFirst, modeSplit} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			trace := traced(t, mode, 8)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			out, err := childCommand(ctx, modeJudge, trace+","+t.TempDir()).CombinedOutput()
			if err == nil {
				t.Fatal("no image shows the bug")
			}
			t.Logf("found: %v: %.300s", err, out)
		})
	}
}

// traced runs a child under strace and returns the trace's path. The store was beside it, as store.db.
func traced(t *testing.T, mode string, commits int) string {
	t.Helper()
	dir := t.TempDir()
	trace := filepath.Join(dir, "trace")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	prefix := strace(t, trace, "-xx", "-s", "67108864",
		"-e", "trace=openat,write,pwrite64,ftruncate,fsync,fdatasync,linkat,renameat,renameat2")
	out, err := childCommand(ctx, mode, fmt.Sprintf("%s,%d", tracedStore(trace), commits), prefix...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "ack") {
		t.Fatalf("the traced child: %v: %.300s", err, out)
	}
	return trace
}

func tracedStore(trace string) string { return filepath.Join(filepath.Dir(trace), "store.db") }

// judgeChild judges "trace,folder".
func judgeChild(arg string) int {
	trace, dir, _ := strings.Cut(arg, ",")
	if _, err := judge(trace, 2000, dir, 1); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// judge makes images of power cuts at random moments of the trace and returns the first broken promise, or how many images had
// lost or torn something that was not synced.
func judge(trace string, images int, dir string, seed uint64) (atRisk int, err error) {
	f, err := os.Open(trace)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	events, err := newParser(tracedStore(trace), filepath.Dir(trace)).read(f)
	if err != nil || len(events) == 0 {
		return 0, fmt.Errorf("a trace of %d events: %v", len(events), err)
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	cuts := make([]int, images)
	for i := range cuts {
		cuts[i] = rng.IntN(len(events) + 1)
	}
	slices.Sort(cuts)
	d := newDisk(tracedStore(trace))
	for i, cut := range cuts {
		d.play(events, cut)
		if d.unsynced() {
			atRisk++
		}
		image := filepath.Join(dir, strconv.Itoa(i)+".db")
		if err := d.cut(image, rng); err != nil {
			return 0, err
		}
		if err := d.told.holds(image); err != nil {
			return 0, fmt.Errorf("power cut after event %d of %d (image %d, seed %d): %w", cut, len(events), i, seed, err)
		}
		os.Remove(image)
	}
	return atRisk, nil
}

const sector = 512

// disk is what is on disk for certain at a moment of the trace, and what may be.
type disk struct {
	path    string
	at      int
	files   map[int]*inode
	name    int  // the inode at path; -1: none
	durable bool // the name is
	told    acks
}

type inode struct {
	data    []byte // without the zeros at the end
	size    int64
	pending []event
	numbers []int // of pending in the trace
}

func newDisk(path string) *disk { return &disk{path: path, files: map[int]*inode{}, name: -1} }

func (d *disk) file(n int) *inode {
	if d.files[n] == nil {
		d.files[n] = &inode{}
	}
	return d.files[n]
}

func (d *disk) unsynced() bool {
	return d.name >= 0 && (!d.durable || len(d.file(d.name).pending) > 0)
}

// play goes on to a moment.
func (d *disk) play(events []event, until int) {
	for ; d.at < until; d.at++ {
		e := events[d.at]
		switch e.kind {
		case evWrite, evTruncate:
			f := d.file(e.file)
			f.pending, f.numbers = append(f.pending, e), append(f.numbers, d.at)
		case evSync:
			d.file(e.file).sync(e.seen)
		case evLink:
			if e.name == d.path {
				d.name, d.durable = e.file, false
			}
		case evDirSync:
			d.durable = true
		case evAck:
			d.told.note(e.line)
		}
	}
}

// sync makes certain what was written before the sync began.
func (f *inode) sync(seen int) {
	n := 0
	for n < len(f.pending) && f.numbers[n] < seen {
		f.apply(f.pending[n], func() bool { return true })
		n++
	}
	f.pending, f.numbers = f.pending[n:], f.numbers[n:]
}

// apply does to the file what an event did, for those sectors that were kept.
func (f *inode) apply(e event, kept func() bool) {
	if e.kind == evTruncate {
		if kept() {
			f.size = e.size
			f.data = f.data[:min(int64(len(f.data)), e.size)]
		}
		return
	}
	for i := 0; i < len(e.data); i += sector {
		if kept() {
			f.put(e.off+int64(i), e.data[i:min(i+sector, len(e.data))])
		}
	}
}

func (f *inode) put(off int64, data []byte) {
	end := off + int64(len(data))
	if grow := end - int64(len(f.data)); grow > 0 {
		f.data = append(f.data, make([]byte, grow)...)
	}
	copy(f.data[off:], data)
	f.size = max(f.size, end)
}

// cut writes one of the files that a power cut now could leave.
func (d *disk) cut(path string, rng *rand.Rand) error {
	if d.name < 0 || !d.durable && rng.IntN(2) == 0 {
		return nil
	}
	f := d.file(d.name)
	after := inode{data: slices.Clone(f.data), size: f.size}
	odds := []int{0, 10, 50, 90, 100}[rng.IntN(5)]
	for _, e := range f.pending {
		after.apply(e, func() bool { return rng.IntN(100) < odds })
	}
	if err := os.WriteFile(path, after.data, 0o600); err != nil {
		return err
	}
	return os.Truncate(path, after.size)
}
