package broker

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestTheJournalCannotBeFlooded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		said := 0
		for range 1000 {
			if ok, _ := j.allow(time.Now()); ok {
				said++
			}
		}
		time.Sleep(journalSpan)
		ok, unsaid := j.allow(time.Now())
		if said != journalLines || !ok || unsaid != 1000-journalLines {
			t.Errorf("%d lines said, then %v with %d left out", said, ok, unsaid)
		}
	})
}

func TestConnectionsAreCountedByWhoCouldBeOnePerson(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.168.1.7:5000":        "192.168.1.7/32",
		"[::ffff:192.168.1.7]:50": "192.168.1.7/32",
		"[2001:db8:1:2:3::9]:50":  "2001:db8:1:2::/64",
		"[fe80::1%eth0]:50":       "fe80::/64",
	} {
		a, err := net.ResolveTCPAddr("tcp", strings.Replace(address, "%eth0", "%lo", 1))
		if err != nil {
			t.Fatal(err)
		}
		if got := originOf(a).String(); got != want {
			t.Errorf("%s counts as %s, want %s", address, got, want)
		}
	}
	if got := originOf(&net.UnixAddr{Name: "x", Net: "unix"}); got.IsValid() {
		t.Errorf("a unix socket counts as %v", got)
	}
}

func TestTheFirstPacketIsReadWholeAndNothingBehindIt(t *testing.T) {
	t.Parallel()
	short := "\x10\x0cabcdefghijkl"
	long := "\x10\x80\x02" + strings.Repeat("x", 256)
	for _, packet := range []string{short, long} {
		r := iotest.OneByteReader(strings.NewReader(packet + "more"))
		got, err := readConnect(r)
		rest, _ := io.ReadAll(r)
		if err != nil || string(got) != packet || string(rest) != "more" {
			t.Errorf("got %q and left %q, error %v", got, rest, err)
		}
	}
}

func FuzzTheFirstPacket(f *testing.F) {
	for _, s := range []string{"", "\x10", "\x10\x00", "\x10\xff\xff\xff\x7f", "\x10\x80\x20", "\x10\x02ab", "GET / HTTP/1.1"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := readConnect(bytes.NewReader(b))
		if len(got) > maxConnect+3 {
			t.Fatalf("took %d bytes", len(got))
		}
		if err == nil && !bytes.HasPrefix(b, got) {
			t.Fatal("not what came")
		}
	})
}

// A deaf peer: net.Pipe has no buffer, so the first write already waits.
func TestWritingToAPeerThatDoesNotReadNeverWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		c := newConn(ours, newMetrics(), Options{MaxPacketBytes: 1 << 10, WriteDeadline: time.Minute})
		began := time.Now()
		for range 5 {
			if _, err := c.Write(make([]byte, 1<<10)); err != nil {
				if time.Since(began) > 0 {
					t.Error("it took time")
				}
				return
			}
		}
		synctest.Wait()
		for range 5 {
			if _, err := c.Write(make([]byte, 1<<10)); err != nil {
				return
			}
		}
		t.Error("accepted more than its bound")
	})
}

func TestAPeerThatDoesNotReadIsDroppedAtTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		c := newConn(ours, newMetrics(), Options{MaxPacketBytes: 1 << 10, WriteDeadline: 5 * time.Second})
		began := time.Now()
		if _, err := c.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		<-c.over
		if d := time.Since(began); d != 5*time.Second {
			t.Errorf("after %v", d)
		}
		c.finish()
	})
}

func TestWhatWasWrittenGoesOutBeforeTheConnectionCloses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		c := newConn(ours, newMetrics(), Options{MaxPacketBytes: 1 << 20, WriteDeadline: time.Second})
		got := make(chan string)
		go func() {
			b, _ := io.ReadAll(theirs)
			got <- string(b)
		}()
		want := ""
		for range 1000 {
			want += "abc"
			if _, err := c.Write([]byte("abc")); err != nil {
				t.Fatal(err)
			}
		}
		_ = c.Close()
		c.finish()
		if s := <-got; s != want {
			t.Errorf("%d bytes went out of %d", len(s), len(want))
		}
	})
}

func TestTheBudgetWakesTheWaitingAndForgetsTheGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100)
		if !b.take(100, nil) {
			t.Fatal("refused what is free")
		}
		over, result := make(chan struct{}), make(chan bool)
		go func() { result <- b.take(10, over) }()
		synctest.Wait()
		close(over)
		if <-result {
			t.Error("taken although nothing is free")
		}
		go func() { result <- b.take(60, nil) }()
		for range 5 {
			synctest.Wait()
			b.give(20)
		}
		if !<-result || b.free != 40 {
			t.Errorf("%d are free", b.free)
		}
	})
}

// Connections of one client come and go in any order; what is reported must follow the latest of them.
func TestPresenceFollowsTheLatestConnection(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g := newRegistry()
		var sessions []*session
		online := false
		report := func(to bool) func() { return func() { online = to } }
		pick := func(t *rapid.T) *session {
			if len(sessions) == 0 {
				t.Skip("nobody has come yet")
			}
			return rapid.SampledFrom(sessions).Draw(t, "session")
		}
		arrived := false // some session of the unbroken row of takeovers
		t.Repeat(map[string]func(*rapid.T){
			"enter": func(*rapid.T) {
				s := &session{grant: Grant{ID: "ac"}}
				g.enter(s)
				sessions = append(sessions, s)
			},
			"arrive": func(t *rapid.T) {
				s := pick(t)
				g.arrive(s, report(true))
				arrived = arrived || g.get("ac") == s
			},
			"leave": func(t *rapid.T) {
				g.leave(pick(t), report(false))
				arrived = arrived && g.get("ac") != nil
			},
			"": func(t *rapid.T) {
				if online != arrived {
					t.Fatalf("reported online: %v, want %v", online, arrived)
				}
			},
		})
	})
}

func TestAConnectionThatIsToEndCannotBeGivenMoreTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		c := newConn(ours, newMetrics(), Options{MaxPacketBytes: 1 << 10, WriteDeadline: time.Second})
		_ = c.Close()
		if err := c.SetDeadline(time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := c.Read(make([]byte, 1)); err == nil || time.Since(began) > 0 {
			t.Errorf("error %v after %v", err, time.Since(began))
		}
		c.finish()
	})
}
