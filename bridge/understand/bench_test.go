package understand

import (
	"fmt"
	"testing"

	"jiaxin/devices"
)

// BenchmarkRead reads a sentence that nothing fits in a home of twenty appliances, which is the slowest case.
func BenchmarkRead(b *testing.B) {
	catalog, err := devices.Load(devices.Standard())
	if err != nil {
		b.Fatal(err)
	}
	var h Home
	for i := range 20 {
		m := catalog.Models()[i%len(catalog.Models())]
		h.Devices = append(h.Devices, Device{ID: fmt.Sprint(i), Name: fmt.Sprintf("客厅%s%d", m.Name["zh"], i), Model: m})
	}
	for b.Loop() {
		Read(h, "客厅空调3今天为什么一点也不凉快")
	}
}
