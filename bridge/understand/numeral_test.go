package understand

import (
	"strconv"
	"testing"
)

func TestNumeral(t *testing.T) {
	t.Parallel()
	tests := map[string]float64{
		"0": 0, "26": 26, "007": 7, "六": 6, "十": 10, "十六": 16, "二十": 20, "二十六": 26, "一百": 100, "一百零五": 105, "一百一十": 110,
		"一百二十六": 126, "九百九十九": 999,
	}
	for s, want := range tests {
		if got, ok := numeral(s); !ok || got != want {
			t.Errorf("%s is %v, %t", s, got, ok)
		}
	}
	for _, s := range []string{
		"", "零", "百", "百五", "一百五", "一百十", "一百零十", "十十", "二三", "二六十", "一百一百", "十一百", "二点五", "两百", "1十", "+5", "-5", "１", "2.5",
		"9999999", "99999999999999999999", "一\xe4", "\xb8\x80\xe4", "二十零五",
	} {
		if got, ok := numeral(s); ok {
			t.Errorf("%q is %v", s, got)
		}
	}
}

// Every number up to 999, said in Chinese, is itself.
func TestNumeralCounts(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 999; n++ {
		if got, ok := numeral(say(n)); !ok || got != float64(n) {
			t.Errorf("%s is %v, %t", say(n), got, ok)
		}
	}
}

func say(n int) string {
	digits := []string{"", "一", "二", "三", "四", "五", "六", "七", "八", "九"}
	s := ""
	if n >= 100 {
		s = digits[n/100] + "百"
	}
	switch tens := n / 10 % 10; {
	case tens > 0 && !(tens == 1 && n < 100):
		s += digits[tens] + "十"
	case tens > 0:
		s += "十"
	case n > 100 && n%10 > 0:
		s += "零"
	}
	return s + digits[n%10]
}

func FuzzNumeral(f *testing.F) {
	for _, s := range []string{"26", "一百零五", "十", "零", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := numeral(s)
		if ok && (n < 0 || n >= 1e6 || n != float64(int(n))) {
			t.Errorf("%q is %v", s, n)
		}
		if ok && n > 0 && n < 1000 && s[0] > '9' && s != say(int(n)) && s != "一十"+say(int(n)%10) {
			t.Errorf("%q is %v, which is said %q", s, n, say(int(n)))
		}
		if _, err := strconv.Atoi(s); ok && err != nil && s[0] <= '9' {
			t.Errorf("%q is %v", s, n)
		}
	})
}
