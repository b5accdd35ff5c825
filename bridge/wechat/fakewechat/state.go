package fakewechat

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const saveEvery = 300 * time.Millisecond // a burst of changes is one write

// state is all that survives a restart when there is a StateFile. Open pages and browser cookies do not: a phone's
// browser starts afresh, and OAuth makes it known to the gateway again.
type state struct {
	Offset  time.Duration      `json:"offset"` // the virtual clock ahead of real time
	LastID  int64              `json:"last_id"`
	People  []*person          `json:"people"`
	Tickets map[string]*ticket `json:"tickets"`
	Media   map[string]*media  `json:"media"`
	Menu    *menu              `json:"menu,omitempty"`
	Tokens  tokens             `json:"tokens"`
	Sent    map[string]sent    `json:"sent"` // openid and client_msg_id → the message it made
	Calls   dayCalls           `json:"calls"`
}

func newState() *state {
	return &state{
		LastID:  3_000_000_000_000_000_000, // above 2^53, as WeChat's: a reader that takes it for a float is caught
		Tickets: map[string]*ticket{}, Media: map[string]*media{}, Sent: map[string]sent{},
	}
}

func loadState(file string) (*state, error) {
	st := newState()
	if file == "" {
		return st, nil
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return st, nil
	}
	if err != nil {
		return nil, fmt.Errorf("fakewechat: cannot read the saved state: %w", err)
	}
	if err := json.Unmarshal(data, st); err != nil {
		return nil, fmt.Errorf("fakewechat: the saved state %s is damaged (%w); remove the file to start afresh", file, err)
	}
	return st, nil
}

// keepSaving writes the state soon after a change, until Close, which writes the last one itself.
func (s *Server) keepSaving() {
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.saving:
		}
		select {
		case <-s.ctx.Done():
			return
		case <-time.After(saveEvery):
		}
		if err := s.save(); err != nil {
			s.opt.Logger.Error("the fake WeChat could not save its state", "error", err)
		}
	}
}

func (s *Server) save() error {
	s.mu.Lock()
	s.state.Offset = time.Duration(s.offset.Load())
	data, err := json.Marshal(&s.state)
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("fakewechat: cannot encode the state: %w", err)
	}
	if err := replaceFile(s.opt.StateFile, data); err != nil {
		return fmt.Errorf("fakewechat: cannot save the state: %w", err)
	}
	return nil
}

// replaceFile puts data in place of file at once: after a crash there is the old file or the new one, never a half.
func replaceFile(file string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails after the rename, as it should
	_, err = tmp.Write(data)
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), file); err != nil {
		return err
	}
	return syncDir(filepath.Dir(file))
}

func syncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// nextID gives the next message id of the account. s.mu is held.
func (s *Server) nextID() int64 {
	s.state.LastID++
	return s.state.LastID
}
