package main

import (
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"

	"jiaxin/cmd/internal/app"
	"jiaxin/devices"
)

type deviceCmd struct {
	Add deviceAddCmd `cmd:"" help:"Append devices with new secrets and labels. 加入家电。"`
}

type deviceAddCmd struct {
	File    string   `default:"devices.csv" type:"path" help:"The file to append to; the gateway reads it at its start."`
	URL     string   `required:"" help:"What the labels' addresses begin with: the public_url of jiaxin.yaml."`
	Name    string   `help:"What the household first knows it by; empty: the product's name."`
	Devices []string `arg:"" help:"Client ids: <maker>.<model>.<device>, such as standard.ac.ac-01"`
}

// Run appends to the file, which holds secrets: it is readable by its owner only.
func (c *deviceAddCmd) Run() error {
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return fmt.Errorf("--url %q is not where phones reach the gateway: write it as https://home.example.com", c.URL)
	}
	devs, err := app.ReadDevices(c.File)
	if err != nil {
		return err
	}
	known := map[devices.Address]bool{}
	for _, d := range devs {
		known[d.Address] = true
	}
	for _, id := range c.Devices {
		a, err := devices.ParseAddress(id)
		if err != nil {
			return err
		}
		if known[a] {
			return fmt.Errorf("%s is in %s already", id, c.File)
		}
		known[a] = true
		devs = append(devs, devices.Registration{
			Address: a, Username: id, Password: devices.NewSecret(rand.Reader), Name: c.Name,
			LabelURL: strings.TrimSuffix(c.URL, "/") + "/b/" + devices.NewLabelCode(rand.Reader),
		})
	}
	if err := app.WriteDevices(c.File, devs); err != nil {
		return err
	}
	fmt.Printf("%d devices in %s\n", len(devs), c.File)
	return nil
}
