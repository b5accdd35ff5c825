package bolt

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"jiaxin/bridge/store"
	"jiaxin/bridge/store/storetest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t testing.TB, place string, now func() time.Time) store.Store {
		if err := os.MkdirAll(place, 0o700); err != nil {
			t.Fatal(err)
		}
		s, err := Open(filepath.Join(place, "jiaxin.db"), Options{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}
