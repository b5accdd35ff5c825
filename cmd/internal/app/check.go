package app

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"jiaxin/bridge/understand"
	"jiaxin/devices"
)

// Check loads the models and messages of the folders with the standard ones, runs every sample, and reports what it
// looked at. The error names every mistake with file, line and cure.
func Check(folders []string) (string, error) {
	catalog, words, err := Catalog(folders)
	if err != nil {
		return "", err
	}
	samples, sentences := 0, 0
	var errs []error
	for _, m := range catalog.Models() {
		samples += len(m.Samples)
		base, _ := catalog.Model(m.Extends)
		n, err := checkSentences(m, base)
		sentences += n
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return "", err
	}
	return fmt.Sprintf("好的 · all right: %d models, %d samples (%d sentences), %d WeChat templates",
		len(catalog.Models()), samples, sentences, len(words.Forms())), nil
}

// checkSentences says each of the model's own sample sentences to a home with one such device. Those that it inherited
// from its base call it by the base's name, which a maker may have changed.
func checkSentences(m, base *devices.Model) (n int, err error) {
	var errs []error
	for _, s := range m.Samples {
		if s.Say == "" || base != nil && slices.ContainsFunc(base.Samples, func(o devices.Sample) bool { return o.Say == s.Say }) {
			continue
		}
		n++
		got := understand.Read(understand.Home{Devices: []understand.Device{{ID: "it", Name: m.Name.In("zh"), Model: m}}}, s.Say)
		if got.Kind != understand.Act || got.Do != s.Do || fmt.Sprint(got.Set, got.With) != fmt.Sprint(s.Set, s.With) {
			errs = append(errs, fmt.Errorf("%s: the sample sentence %q is understood as %q (%s): use a sentence with the words of the model, or add its words",
				m.ID, s.Say, got.Kind, got.Why))
		}
	}
	return n, errors.Join(errs...)
}

// CheckConfig sees that the configuration fits the models and messages of the folders: each form has its template, and
// each appliance of devices.csv its model.
func CheckConfig(cfg Config, folders []string) error {
	catalog, words, err := Catalog(folders)
	if err != nil {
		return err
	}
	return errors.Join(checkForms(words, cfg.WeChat.Templates), checkDevices(cfg, catalog))
}

func checkDevices(cfg Config, catalog *devices.Catalog) error {
	if cfg.Devices == "" {
		return nil
	}
	devs, err := readDevices(cfg.Devices)
	if err != nil {
		return err
	}
	var errs []error
	for _, d := range devs {
		if _, ok := catalog.Model(d.Address.Product); !ok {
			errs = append(errs, fmt.Errorf("%s: %s: there is no model %q; add its YAML file to a models folder", cfg.Devices, d.Address, d.Address.Product))
		}
	}
	return errors.Join(errs...)
}

// Preview writes every message as a household would see it.
func Preview(w io.Writer, folders []string) error {
	_, words, err := Catalog(folders)
	if err != nil {
		return err
	}
	return words.Preview(w)
}

// Consts writes the forms as they are to be applied for on the account's 模板消息 page: each field, and of the const
// fields the words to be approved.
func Consts(w io.Writer, folders []string) error {
	_, words, err := Catalog(folders)
	if err != nil {
		return err
	}
	consts := words.Consts()
	for _, f := range words.Forms() {
		if _, err := fmt.Fprintf(w, "\n%s  %s\n", f.Key, f.Title); err != nil {
			return err
		}
		for _, field := range f.Fields {
			values := strings.Join(consts[f.Key+"."+field.Key], " | ")
			if _, err := fmt.Fprintf(w, "  %-8s %s  %s\n", field.Key, field.Label, values); err != nil {
				return err
			}
		}
	}
	return nil
}
