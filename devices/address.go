package devices

import (
	"fmt"
	"strings"
)

// ParseAddress reads an MQTT client id, "<maker>.<model>.<device>".
func ParseAddress(clientID string) (Address, error) {
	parts := strings.SplitN(clientID, ".", 4)
	if len(parts) != 3 {
		return Address{}, fmt.Errorf("the client id %q is not <maker>.<model>.<device>", clip(clientID))
	}
	a := Address{Product: parts[0] + "/" + parts[1], Device: parts[2]}
	if err := a.check(); err != nil {
		return Address{}, err
	}
	return a, nil
}

// ParseTopic reads "d/<maker>/<model>/<device>/<sort>", where the sort is one of UpProperty … DownReply.
func ParseTopic(topic string) (a Address, sort string, err error) {
	parts := strings.SplitN(topic, "/", 5)
	if len(parts) != 5 || parts[0] != "d" {
		return Address{}, "", fmt.Errorf("the topic %q is not d/<maker>/<model>/<device>/…", clip(topic))
	}
	a = Address{Product: parts[1] + "/" + parts[2], Device: parts[3]}
	if !isSort(parts[4]) {
		return Address{}, "", fmt.Errorf("the topic %q ends in something unknown", clip(topic))
	}
	if err := a.check(); err != nil {
		return Address{}, "", err
	}
	return a, parts[4], nil
}

func isSort(s string) bool {
	switch s {
	case UpProperty, UpEvent, UpReply, UpStatus, UpButton, DownCommand, DownReply:
		return true
	}
	return false
}

// ClientID is the MQTT client id, "<maker>.<model>.<device>".
func (a Address) ClientID() string {
	return strings.ReplaceAll(a.Product, "/", ".") + "." + a.Device
}

// Topic is where messages of the sort travel, such as d/standard/ac/ac-01/up/event.
func (a Address) Topic(sort string) string { return "d/" + a.String() + "/" + sort }

// String is "<maker>/<model>/<device>".
func (a Address) String() string { return a.Product + "/" + a.Device }

func (a Address) check() error {
	if !validProduct(a.Product) {
		return fmt.Errorf("the product %q is not <maker>/<model> in a-z, 0-9, _ and -", clip(a.Product))
	}
	if !validDevice(a.Device) {
		return fmt.Errorf("the device %q is not 1 to 64 letters, digits, _ and -", clip(a.Device))
	}
	return nil
}

// validProduct: both parts 1 to 32 of [a-z0-9_-]; the "." that joins them in a client id can be in neither.
func validProduct(id string) bool {
	maker, model, ok := strings.Cut(id, "/")
	return ok && validKey(maker) && validKey(model)
}

func validKey(s string) bool {
	return len(s) >= 1 && len(s) <= 32 && strings.IndexFunc(s, notKeyRune) < 0
}

func notKeyRune(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' || r == '-')
}

func validDevice(s string) bool {
	return len(s) >= 1 && len(s) <= 64 && strings.IndexFunc(s, func(r rune) bool {
		return notKeyRune(r) && !(r >= 'A' && r <= 'Z')
	}) < 0
}
