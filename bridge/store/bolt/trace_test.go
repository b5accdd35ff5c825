package bolt

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// event is a system call that matters for what is on disk, in the order in which they happened.
type event struct {
	kind eventKind
	file int // which inode of the trace
	off  int64
	data []byte
	size int64 // of a truncate
	name string
	seen int    // how many events there were when a sync began: it covers no later ones
	line string // of an ack
}

type eventKind int

const (
	evWrite eventKind = iota
	evTruncate
	evSync
	evLink
	evDirSync
	evAck
)

// strace returns the prefix that records the system calls to a file, or skips the test where it cannot be.
func strace(t *testing.T, file string, more ...string) []string {
	t.Helper()
	tool, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed: without it nobody can see whether a sync is missing (apt install strace)")
	}
	if out, err := exec.Command(tool, "-o", "/dev/null", "true").CombinedOutput(); err != nil {
		t.Skipf("strace may not trace here (ptrace must be allowed): %v: %s", err, out)
	}
	return append([]string{tool, "-f", "-qq", "-o", file, "-e", "signal=none"}, more...)
}

// parser reads strace's output and keeps what concerns the store at path.
type parser struct {
	path   string
	dir    string
	events []event
	inodes map[string]int // by path
	fds    map[string]int // file descriptor → inode; -1: the folder
	begun  map[string]call
}

// call is a system call that has not returned yet.
type call struct {
	text string
	seen int
}

func newParser(path, dir string) *parser {
	return &parser{path: path, dir: dir, inodes: map[string]int{}, fds: map[string]int{}, begun: map[string]call{}}
}

func (p *parser) read(r io.Reader) ([]event, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		pid, text, _ := strings.Cut(lines.Text(), " ")
		if err := p.line(pid, strings.TrimSpace(text)); err != nil {
			return nil, fmt.Errorf("%w in the trace's line %.200q", err, lines.Text())
		}
	}
	return p.events, lines.Err()
}

// line tells calls that begin from those that end. A write counts from its beginning and a sync from its end, as only
// that is certain.
func (p *parser) line(pid, text string) error {
	if head, ok := strings.CutSuffix(text, " <unfinished ...>"); ok {
		p.begun[pid] = call{head, len(p.events)}
		return p.begin(head)
	}
	if strings.HasPrefix(text, "<... ") {
		_, tail, _ := strings.Cut(text, " resumed>")
		c := p.begun[pid]
		delete(p.begun, pid)
		return p.end(c.text+tail, c.seen)
	}
	seen := len(p.events)
	if err := p.begin(text); err != nil {
		return err
	}
	return p.end(text, seen)
}

// parts splits a call at its quotes: name(1, "text", more.
func parts(text string) (head string, quoted []string) {
	all := strings.Split(text, `"`)
	for i := 1; i < len(all); i += 2 {
		quoted = append(quoted, all[i])
	}
	return all[0], quoted
}

func (p *parser) begin(text string) error {
	head, quoted := parts(text)
	name, args, _ := strings.Cut(head, "(")
	fd, rest, _ := strings.Cut(args, ", ")
	switch {
	case name == "pwrite64":
		return p.write(fd, quoted[0], text[strings.LastIndex(text, `"`):])
	case name == "write" && fd == "1":
		data, err := unhex(quoted[0])
		p.events = append(p.events, event{kind: evAck, line: strings.TrimSpace(string(data))})
		return err
	case name == "ftruncate":
		var size int64
		_, err := fmt.Sscanf(rest, "%d", &size)
		p.add(fd, event{kind: evTruncate, size: size})
		return err
	case name == "linkat" || strings.HasPrefix(name, "renameat"):
		return p.link(quoted[0], quoted[1])
	}
	return nil
}

func (p *parser) write(fd, text, tail string) error {
	var size, at int64
	if _, err := fmt.Sscanf(tail, "\", %d, %d", &size, &at); err != nil {
		return err
	}
	data, err := unhex(text)
	if err == nil && int64(len(data)) != size {
		err = errors.New("the bytes of a write are cut short")
	}
	p.add(fd, event{kind: evWrite, data: data, off: at})
	return err
}

func (p *parser) link(from, to string) error {
	old, err := unhex(from)
	if err != nil {
		return err
	}
	name, err := unhex(to)
	if file, ok := p.inodes[string(old)]; ok {
		p.inodes[string(name)] = file
		p.events = append(p.events, event{kind: evLink, file: file, name: string(name)})
	}
	return err
}

// end handles what counts once it has returned.
func (p *parser) end(text string, seen int) error {
	name, args, _ := strings.Cut(text, "(")
	_, result, _ := strings.Cut(text[strings.LastIndex(text, ")"):], "= ")
	switch {
	case name == "openat":
		_, quoted := parts(text)
		path, err := unhex(quoted[0])
		p.open(string(path), result)
		return err
	case (name == "fsync" || name == "fdatasync") && result == "0":
		fd, _, _ := strings.Cut(args, ")")
		kind := evSync
		if p.fds[fd] < 0 {
			kind = evDirSync
		}
		p.add(fd, event{kind: kind, seen: seen})
	}
	return nil
}

func (p *parser) open(name, fd string) {
	delete(p.fds, fd)
	switch {
	case name == p.dir:
		p.fds[fd] = -1
	case strings.HasPrefix(name, p.path):
		if _, ok := p.inodes[name]; !ok {
			p.inodes[name] = len(p.inodes)
		}
		p.fds[fd] = p.inodes[name]
	}
}

// add notes an event of a file that concerns us.
func (p *parser) add(fd string, e event) {
	if file, ok := p.fds[fd]; ok {
		e.file = file
		p.events = append(p.events, e)
	}
}

// unhex reads strace's -xx form: \x68\x69.
func unhex(s string) ([]byte, error) {
	data := make([]byte, 0, len(s)/4)
	for ; s != ""; s = s[4:] {
		if len(s) < 4 || s[:2] != `\x` {
			return nil, errors.New("not hexadecimal")
		}
		b, err := strconv.ParseUint(s[2:4], 16, 8)
		if err != nil {
			return nil, err
		}
		data = append(data, byte(b))
	}
	return data, nil
}
