package devices

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Registration is one device as the maker's production line made it: a line of devices.csv.
type Registration struct {
	Address  Address
	Username string
	Password string // secret: the device's, kept hashed by the gateway
	LabelURL string // secret: what the label's QR code holds; its last path element is the label code
	Name     string // what the installer called it; may be empty
}

// LabelCode is the code at the end of the label's URL.
func (r Registration) LabelCode() (string, error) {
	u, err := url.Parse(r.LabelURL)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return "", errors.New("label_url is not an http or https address")
	}
	return ParseLabelCode(path.Base(u.Path))
}

func registryHeader() []string {
	return []string{"client_id", "username", "password", "label_url", "name"}
}

// maxRegistryErrors bounds how many bad lines are told of.
const maxRegistryErrors = 20

// ReadRegistry reads devices.csv (RFC 4180, UTF-8, header client_id,username,password,label_url,name). The error joins what is
// wrong, each with its line and without any secret; there are no registrations then.
func ReadRegistry(r io.Reader) ([]Registration, error) {
	in := csv.NewReader(r)
	in.FieldsPerRecord = -1 // counted below, with a better word
	header, err := in.Read()
	if err != nil {
		return nil, fmt.Errorf("devices.csv has no header line: %w", csvError(err))
	}
	header[0] = strings.TrimPrefix(header[0], "\ufeff") // spreadsheets write a byte order mark
	if !slices.Equal(header, registryHeader()) {
		return nil, fmt.Errorf("line 1: the header must be %s", strings.Join(registryHeader(), ","))
	}
	rows := newRegistryRows()
	return rows.read(in)
}

type registryRows struct {
	lines  map[Address]int // where each device was first
	labels map[string]int  // and each label code
	out    []Registration
	errs   []error
}

func newRegistryRows() *registryRows {
	return &registryRows{lines: map[Address]int{}, labels: map[string]int{}}
}

func (rows *registryRows) read(in *csv.Reader) ([]Registration, error) {
	for len(rows.errs) < maxRegistryErrors {
		record, err := in.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			rows.errs = append(rows.errs, csvError(err))
			break
		}
		line, _ := in.FieldPos(0)
		if err := rows.add(record, line); err != nil {
			rows.errs = append(rows.errs, fmt.Errorf("line %d: %w", line, err))
		}
	}
	if len(rows.errs) > 0 {
		return nil, errors.Join(rows.errs...)
	}
	return rows.out, nil
}

func (rows *registryRows) add(record []string, line int) error {
	if len(record) != len(registryHeader()) {
		return fmt.Errorf("%d fields, not %d: quote a name that has a comma", len(record), len(registryHeader()))
	}
	address, err := ParseAddress(record[0])
	if err != nil {
		return err
	}
	reg := Registration{Address: address, Username: record[1], Password: record[2], LabelURL: record[3], Name: record[4]}
	if err := reg.check(); err != nil {
		return err
	}
	if err := rows.once(reg, line); err != nil {
		return err
	}
	rows.out = append(rows.out, reg)
	return nil
}

func (rows *registryRows) once(reg Registration, line int) error {
	if first, ok := rows.lines[reg.Address]; ok {
		return fmt.Errorf("%s is on line %d already: keep one", reg.Address.ClientID(), first)
	}
	code, _ := reg.LabelCode()
	if first, ok := rows.labels[code]; ok {
		return fmt.Errorf("this label code is on line %d already: every device needs its own", first)
	}
	rows.lines[reg.Address], rows.labels[code] = line, line
	return nil
}

func (r Registration) check() error {
	if err := r.Address.check(); err != nil {
		return err
	}
	if r.Username == "" || r.Password == "" {
		return errors.New("username and password must not be empty")
	}
	if _, err := r.LabelCode(); err != nil {
		return err
	}
	for _, s := range []string{r.Username, r.Password, r.Name} {
		if strings.ContainsFunc(s, unicode.IsControl) || !utf8.ValidString(s) {
			return errors.New("a field holds a control character or is not UTF-8")
		}
	}
	if utf8.RuneCountInString(r.Name) > maxName {
		return fmt.Errorf("the name has more than %d characters", maxName)
	}
	return nil
}

// maxName is the longest name of a device, in characters.
const maxName = 40

func csvError(err error) error {
	var at *csv.ParseError
	if errors.As(err, &at) {
		return fmt.Errorf("line %d, column %d: %w", at.Line, at.Column, at.Err)
	}
	return err
}

// WriteRegistry writes devices.csv so that ReadRegistry reads the same. Nothing is written if one of them is wrong.
func WriteRegistry(w io.Writer, regs []Registration) error {
	rows := newRegistryRows()
	for i, r := range regs {
		if err := errors.Join(r.check(), rows.once(r, i+2)); err != nil {
			return fmt.Errorf("%s: %w", r.Address.ClientID(), err)
		}
	}
	out := csv.NewWriter(w)
	out.Write(registryHeader()) // its error stays until Error
	for _, r := range regs {
		out.Write([]string{r.Address.ClientID(), r.Username, r.Password, r.LabelURL, r.Name})
	}
	out.Flush()
	return out.Error()
}
