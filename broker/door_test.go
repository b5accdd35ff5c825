package broker_test

import (
	"context"
	"errors"
	"net"
	"testing"

	"jiaxin/broker"
	"jiaxin/broker/brokertest"
)

func TestMoreConnectionsThanAllowedAreRefused(t *testing.T) {
	t.Parallel()
	b := start(t, broker.Options{Handler: handlerFunc(keep), MaxConnections: 3})
	first := device(t, b, "d0")
	device(t, b, "d1")
	quiet := stranger(t, b, "")
	eventually(t, "three are in", func() bool { return metric(t, b, "connections", "") == 3 })
	closed(t, stranger(t, b, ""))
	if got := metric(t, b, "refused_total", "connections"); got != 1 {
		t.Errorf("%v refusals", got)
	}
	_ = quiet.Close()
	eventually(t, "one has left", func() bool { return metric(t, b, "connections", "") == 2 })
	acked(t, device(t, b, "d2"), "d2")
	acked(t, first, "d0")
}

func TestMoreDevicesOfAnAddressThanAllowedAreToldToComeLater(t *testing.T) {
	t.Parallel()
	for version, unavailable := range map[byte]byte{4: 3, 5: 0x88} {
		b := start(t, broker.Options{Handler: handlerFunc(keep), MaxConnectionsPerAddress: 2})
		first, second := device(t, b, "d0"), device(t, b, "d1")
		late := brokertest.Connect{ID: "d2", Username: "d2", Password: brokertest.Password, Version: version}
		_, err := brokertest.DialWith(b.Addr(), late)
		if refused := (brokertest.ErrRefused{}); !errors.As(err, &refused) || refused.Code != unavailable {
			t.Errorf("MQTT version %d: got %v, want code %#x", version, err, unavailable)
		}
		if got := metric(t, b, "refused_total", "address"); got != 1 {
			t.Errorf("%v refusals", got)
		}
		_ = second.Close()
		eventually(t, "one has left", func() bool { return metric(t, b, "connections", "") == 1 })
		acked(t, dial(t, b, late), "d2")
		acked(t, first, "d0")
	}
}

// Behind a proxy or in a container network everybody has one address.
func TestSilentStrangersKeepNoDeviceOut(t *testing.T) {
	t.Parallel()
	b := start(t, broker.Options{Handler: handlerFunc(keep), MaxPendingPerAddress: 3, MaxConnectionsPerAddress: 2})
	first := device(t, b, "d0")
	var strangers []net.Conn
	for i := range 10 {
		strangers = append(strangers, stranger(t, b, "\x10"))
		if i >= 3 {
			closed(t, strangers[i-3])
		}
	}
	second := device(t, b, "d1")
	closed(t, strangers[7])
	eventually(t, "the others are gone", func() bool { return metric(t, b, "connections", "") == 4 })
	if got := metric(t, b, "refused_total", "pending"); got != 8 {
		t.Errorf("%v had to make room, want 8", got)
	}
	acked(t, first, "d0")
	acked(t, second, "d1")
}

// slow takes its time over everybody whose id is "slow".
type slow struct {
	asked, answer chan struct{}
	brokertest.Fleet
}

func (s slow) Authenticate(ctx context.Context, id, user string, password []byte) (broker.Grant, error) {
	if id == "slow" {
		s.asked <- struct{}{}
		<-s.answer
	}
	return s.Fleet.Authenticate(ctx, id, user, password)
}

func TestWhoIsBeingLookedAtIsNotSentAwayForAStranger(t *testing.T) {
	t.Parallel()
	auth := slow{asked: make(chan struct{}), answer: make(chan struct{})}
	b := start(t, broker.Options{Handler: handlerFunc(keep), Authenticator: auth, MaxPendingPerAddress: 1})
	in := make(chan error)
	go func() {
		c, err := brokertest.Dial(b.Addr(), "slow", "slow", brokertest.Password)
		if err == nil {
			err = errors.Join(c.PublishAcked(brokertest.Up("slow"), nil), c.Close())
		}
		in <- err
	}()
	<-auth.asked
	closed(t, stranger(t, b, ""))
	close(auth.answer)
	if err := <-in; err != nil {
		t.Error(err)
	}
}
