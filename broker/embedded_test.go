package broker_test

import (
	"context"
	"testing"
	"time"

	"jiaxin/broker"
	"jiaxin/broker/brokertest"
)

// start runs an Embedded broker until the test's end.
func start(t testing.TB, o broker.Options) *broker.Embedded {
	t.Helper()
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Authenticator == nil {
		o.Authenticator = brokertest.Fleet{}
	}
	b, err := broker.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = b.Stop(ctx) // some tests leave messages unsettled; those that care about Stop call it themselves
	})
	return b
}

func TestEmbeddedKeepsTheContract(t *testing.T) {
	t.Parallel()
	brokertest.Run(t, func(t *testing.T, h broker.Handler, a broker.Authenticator) (string, broker.Publisher) {
		b := start(t, broker.Options{Handler: h, Authenticator: a})
		return b.Addr(), b
	})
}
