package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// process is a running jiaxin.
type process struct {
	cmd    *exec.Cmd
	stdout *spoken
	stderr *spoken
	ended  chan struct{} // closed when it has
	err    error         // of Wait, once ended
}

// spoken is what a process has said so far. The said channel is closed and replaced with every word.
type spoken struct {
	mu   sync.Mutex
	text bytes.Buffer
	said chan struct{}
}

func (s *spoken) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.said)
	s.said = make(chan struct{})
	return s.text.Write(p)
}

func (s *spoken) String() string {
	text, _ := s.read()
	return text
}

func (s *spoken) read() (string, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String(), s.said
}

func start(dir string, args ...string) (*process, error) {
	p := &process{
		cmd: exec.Command("jiaxin", args...), ended: make(chan struct{}),
		stdout: &spoken{said: make(chan struct{})}, stderr: &spoken{said: make(chan struct{})},
	}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, p.stdout, p.stderr
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// await waits until the process has said what the pattern describes, and returns its groups; awaitLog does so for what it logs.
func (p *process) await(pattern *regexp.Regexp) ([]string, error) { return p.hear(p.stdout, pattern) }

func (p *process) awaitLog(pattern *regexp.Regexp) ([]string, error) {
	return p.hear(p.stderr, pattern)
}

func (p *process) hear(s *spoken, pattern *regexp.Regexp) ([]string, error) {
	over := time.After(patience)
	for {
		text, more := s.read()
		if m := pattern.FindStringSubmatch(text); m != nil {
			return m, nil
		}
		select {
		case <-more:
		case <-p.ended:
			return nil, fmt.Errorf("jiaxin ended (%v) before it said %s:\n%s%s", p.err, pattern, text, p.stderr)
		case <-over:
			return nil, fmt.Errorf("jiaxin does not say %s:\n%s%s", pattern, text, p.stderr)
		}
	}
}

func gatewayWord(w *world, _ *testscript.TestScript, _ bool, args []string) error {
	if err := want(args, 1, "gateway demo|serve|stop|term|kill9"); err != nil {
		return err
	}
	switch args[0] {
	case "demo":
		return w.demo(args[1:])
	case "serve":
		return w.serve(args[1:])
	case "stop":
		return w.end(os.Interrupt)
	case "term":
		return w.end(syscall.SIGTERM)
	case "kill9":
		return w.end(syscall.SIGKILL)
	}
	return fmt.Errorf("what is gateway %s?", args[0])
}

// demo starts the demo in the folder data, and finds its addresses in what it prints.
func (w *world) demo(flags []string) (err error) {
	args := append([]string{"demo", "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--data", "data", "--hold", "50ms", "--log", "debug"}, flags...)
	if w.gateway, err = start(w.dir, args...); err != nil {
		return err
	}
	said, err := w.gateway.await(regexp.MustCompile(`(?s)open:\s+(http://\S+)/\s.*appliances: (\S+).*Ctrl-C`))
	if err != nil {
		return err
	}
	w.wechat, w.home, w.admin, w.broker = said[1], said[1]+"/_home", said[1], said[2]
	return w.hide()
}

// serve starts the gateway with jiaxin.yaml. Where it really listens changes from start to start; the addresses that
// people and appliances use stay the same.
func (w *world) serve(yaml []string) (err error) {
	if err := w.writeConfig(yaml); err != nil {
		return err
	}
	if w.gateway, err = start(w.dir, "serve", "-c", "jiaxin.yaml"); err != nil {
		return err
	}
	said, err := w.gateway.await(regexp.MustCompile(`(?s)is running\s+http (\S+)\s+mqtt (\S+)\s`))
	if err != nil {
		return err
	}
	admin, err := w.gateway.awaitLog(regexp.MustCompile(`metrics and health are served" address=(\S+)`))
	if err != nil {
		return err
	}
	w.admin = "http://" + admin[1]
	w.outside.web.lead(said[1])
	w.outside.mqtt.lead(said[2])
	w.outside.plugIn.Do(w.outside.home.Start)
	return w.hide()
}

// end sends the signal and waits. All but a killed gateway must exit 0, and none may have met a data race.
func (w *world) end(signal os.Signal) error {
	p := w.gateway
	if p == nil {
		return errors.New("no gateway is running")
	}
	w.gateway = nil
	if signal != syscall.SIGKILL {
		if err := w.look(); err != nil {
			return err
		}
	}
	if err := p.cmd.Process.Signal(signal); err != nil {
		return err
	}
	select {
	case <-p.ended:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		return fmt.Errorf("the gateway does not end:\n%s", p.stderr)
	}
	w.logs += p.stdout.String() + p.stderr.String()
	if strings.Contains(p.stderr.String(), "DATA RACE") || strings.Contains(p.stderr.String(), "panic:") {
		return fmt.Errorf("the gateway went wrong:\n%s", p.stderr)
	}
	if signal != syscall.SIGKILL && p.err != nil {
		return fmt.Errorf("the gateway ended with %w:\n%s", p.err, p.stderr)
	}
	return nil
}

// door is an address that stays while the server behind it comes and goes. With nobody behind it, callers are hung up on.
type door struct {
	net.Listener
	mu   sync.Mutex
	to   string
	open sync.WaitGroup
}

func newDoor() (*door, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &door{Listener: l}
	d.open.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			d.open.Go(func() { d.pass(c) })
		}
	})
	return d, nil
}

func (d *door) lead(to string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.to = to
}

func (d *door) pass(caller net.Conn) {
	defer caller.Close()
	d.mu.Lock()
	to := d.to
	d.mu.Unlock()
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer server.Close()
	done := make(chan struct{}, 2)
	for _, pair := range [][2]net.Conn{{caller, server}, {server, caller}} {
		go func() {
			_, _ = io.Copy(pair[0], pair[1])
			done <- struct{}{}
		}()
	}
	<-done // either end ends both
}

func (d *door) address() string { return d.Addr().String() }

func takenWord(w *world, ts *testscript.TestScript, _ bool, _ []string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ts.Defer(func() { _ = l.Close() })
	ts.Setenv("TAKEN", l.Addr().String())
	return nil
}

func (w *world) config() string { return filepath.Join(w.dir, "jiaxin.yaml") }
