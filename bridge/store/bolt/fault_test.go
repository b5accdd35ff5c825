package bolt

import (
	"bufio"
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestInjectedFaults lets the kernel, by way of strace, fail the system calls of a process that commits.
func TestInjectedFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, inject string
		says         string
	}{
		{"a sync fails", "inject=fdatasync:error=EIO:when=6+", "takes nothing more"},
		{"a write fails", "inject=pwrite64:error=EIO:when=12+", "takes nothing more"},
		{"the disk is full for a while", "inject=pwrite64:error=ENOSPC:when=12..40", "full"},
		{"every sync is slow", "inject=fdatasync:delay_enter=5000", "ack 0 20"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out, told := faulty(t, filepath.Join(t.TempDir(), "jiaxin.db"), tt.inject)
			if !strings.Contains(out, tt.says) {
				t.Fatalf("the child should say %q, and says:\n%.3000s", tt.says, out)
			}
			if strings.Contains(tt.inject, "ENOSPC") && told != (acks{20, 20, 20, 20}) {
				t.Fatalf("after the disk had room again only %v were acknowledged:\n%.3000s", told, out)
			}
		})
	}
}

// faulty runs a child under strace and checks what it left.
func faulty(t *testing.T, path, inject string) (string, acks) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	prefix := strace(t, "/dev/null", "-e", "trace=fdatasync,pwrite64", "-e", inject)
	cmd := childCommand(ctx, modeHonest, path+",20", prefix...)
	out, _ := cmd.Output() // it says itself how it ended
	var told acks
	told.listen(bufio.NewScanner(strings.NewReader(string(out))), func(string) {})
	if err := told.holds(path); err != nil {
		t.Fatalf("%s: %v\n%.3000s", inject, err, out)
	}
	return string(out), told
}
