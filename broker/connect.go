package broker

import (
	"errors"
	"fmt"
	"io"
)

var (
	errNotConnect  = errors.New("the first packet is not an MQTT CONNECT")
	errLongConnect = fmt.Errorf("the CONNECT is longer than %d bytes", maxConnect)
)

// readConnect reads the first packet, whole, and nothing behind it, before anything is spent on the connection: a
// stranger's packet that is not a CONNECT, or claims to be long, is refused by its first bytes, and only as much
// memory is taken as a CONNECT may have. (Fixed header: MQTT 3.1.1 §2.2, MQTT 5 §2.1.1.)
func readConnect(r io.Reader) ([]byte, error) {
	head := make([]byte, 2, 64)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	if head[0] != 0x10 {
		return nil, errNotConnect
	}
	n := int(head[1] & 0x7f)
	if head[1]&0x80 != 0 {
		head = head[:3]
		if _, err := io.ReadFull(r, head[2:]); err != nil {
			return nil, err
		}
		if head[2]&0x80 != 0 {
			return nil, errLongConnect
		}
		n |= int(head[2]) << 7
	}
	return readBody(r, head, n)
}

func readBody(r io.Reader, head []byte, n int) ([]byte, error) {
	if n > maxConnect {
		return nil, errLongConnect
	}
	whole := append(make([]byte, 0, len(head)+n), head...)[:len(head)+n]
	_, err := io.ReadFull(r, whole[len(head):])
	return whole, err
}
