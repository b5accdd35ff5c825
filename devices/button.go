package devices

import "errors"

// Press is published to up/button: somebody pressed the device's binding key.
type Press struct {
	Nonce   string `json:"nonce"`   // any id
	Counter uint64 `json:"counter"` // higher with every press, also over restarts: a recorded press is worth nothing
}

// DecodeButton reads an up/button payload.
func DecodeButton(payload []byte) (p Press, err error) {
	err = decode(payload, func(o *object, key string) (err error) {
		switch key {
		case "nonce":
			p.Nonce, err = o.id(key)
		case "counter":
			var n int
			n, err = o.integer(key)
			p.Counter = uint64(max(n, 0))
		default:
			err = unknown("key", key, []string{"nonce", "counter"})
		}
		return err
	})
	switch {
	case err != nil:
		return Press{}, err
	case p.Nonce == "" || p.Counter == 0:
		return Press{}, errors.New(`a press needs a "nonce" and a "counter" above 0`)
	}
	return p, nil
}
