package app

import "testing"

func BenchmarkZ(b *testing.B) {
	for _, l := range []load{{50, 1}, {50, 32}, {1, 256}} {
		b.Run(l.String(), func(b *testing.B) { compare(b, l, acReport(), durable) })
	}
}
