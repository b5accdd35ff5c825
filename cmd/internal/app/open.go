package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"jiaxin/bridge/store"
	"jiaxin/bridge/store/bolt"
	"jiaxin/broker"
	"jiaxin/devices"
	"jiaxin/templates"
)

// This file holds the two places where a variant is chosen by its URL, and the reading of models.

// mqtt is a broker as the app needs it.
type mqtt interface {
	broker.Publisher
	Start() error
	Stop(context.Context) error
	Addr() string
}

func (c Config) boltFile() (string, error) {
	file, ok := strings.CutPrefix(c.Store, "bolt:")
	if !ok || file == "" {
		return "", fmt.Errorf("store %q is unknown: write bolt:jiaxin.db, the file's place in the data folder", c.Store)
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(c.Data, file)
	}
	return file, nil
}

// openStore is the one switch over stores.
func (a *App) openStore() (store.Store, error) {
	file, err := a.cfg.boltFile()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(a.cfg.Data, 0o700); err != nil {
		return nil, err
	}
	if err := a.checkStore(file); err != nil {
		return nil, err
	}
	return bolt.Open(file, bolt.Options{Logger: a.log, Now: a.now, Registerer: a.registry})
}

// checkTime bounds the check of a store at the start.
const checkTime = 2 * time.Minute

// checkStore looks for damage in a process of its own, because a damaged file can kill the one that maps it.
func (a *App) checkStore(file string) error {
	if _, err := os.Stat(file); err != nil || len(a.opt.CheckStore) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), checkTime)
	defer cancel()
	err := bolt.CheckInChild(ctx, append(a.opt.CheckStore[:len(a.opt.CheckStore):len(a.opt.CheckStore)], file))
	if errors.Is(err, store.ErrCorrupt) {
		return fmt.Errorf("the store %s is damaged; move it away and restore a backup: %w", file, err)
	}
	return err
}

func (c Config) mqttAddress() (string, error) {
	address, ok := strings.CutPrefix(c.Broker, "embedded://")
	if _, _, err := net.SplitHostPort(address); !ok || err != nil {
		return "", fmt.Errorf("broker %q is unknown: write embedded://0.0.0.0:1883, the address to listen on", c.Broker)
	}
	return address, nil
}

// openBroker is the one switch over brokers.
func (a *App) openBroker(h broker.Handler, auth broker.Authenticator) (mqtt, error) {
	address, err := a.cfg.mqttAddress()
	if err != nil {
		return nil, err
	}
	b, err := broker.New(broker.Options{
		Listen: address, Handler: h, Authenticator: auth, Logger: a.log,
		MaxConnections: a.cfg.MQTT.MaxConnections, MaxConnectionsPerAddress: a.cfg.MQTT.MaxConnectionsPerAddress,
	})
	if err != nil {
		return nil, err
	}
	for _, c := range b.Collectors() {
		if err := a.registry.Register(c); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Catalog reads the models and messages that ship with Jiaxin and those in the maker's folders.
func Catalog(folders []string) (*devices.Catalog, *templates.Set, error) {
	models, messages := []fs.FS{devices.Standard()}, []fs.FS{templates.Standard()}
	for _, dir := range folders {
		if err := checkFolder(dir); err != nil {
			return nil, nil, err
		}
		models, messages = append(models, os.DirFS(dir)), append(messages, os.DirFS(dir))
	}
	catalog, err := devices.Load(models...)
	if err != nil {
		return nil, nil, err
	}
	words, err := templates.Load(catalog, messages...)
	return catalog, words, err
}

// checkFolder tells a maker's folder from one that holds nothing for us, whose models would be missed only later.
func checkFolder(dir string) error {
	if info, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return fmt.Errorf("there is no folder %s: name one that holds models/<maker>/<model>.yaml and messages/*.yaml of your own", dir)
	}
	for _, name := range []string{"models", "messages", "forms.yaml"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			return nil // what cannot be read, the loaders name
		}
	}
	return fmt.Errorf("the folder %s has no models/, no messages/ and no forms.yaml: put models/<maker>/<model>.yaml or "+
		"messages/*.yaml of your own into it, or name the folder that holds them", dir)
}

// readDevices reads devices.csv.
func readDevices(path string) ([]devices.Registration, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the devices' file: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	devs, err := devices.ReadRegistry(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return devs, nil
}

// ReadDevices reads devices.csv; no file is no devices.
func ReadDevices(path string) ([]devices.Registration, error) {
	devs, err := readDevices(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return devs, err
}

// WriteDevices replaces devices.csv in one move, so that a crash leaves the old one. It holds secrets: only its owner
// can read it.
func WriteDevices(path string, devs []devices.Registration) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*") // of mode 0600
	if err != nil {
		return err
	}
	err = errors.Join(devices.WriteRegistry(f, devs), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// NewLogger makes the logger that the configuration asks for.
func (c Config) NewLogger(w *os.File) *slog.Logger {
	level, _ := c.level() // checked
	o := &slog.HandlerOptions{Level: level}
	if c.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

func (c Config) level() (l slog.Level, err error) {
	if err = l.UnmarshalText([]byte(c.Log.Level)); err != nil {
		err = fmt.Errorf("log.level %q is unknown: write debug, info, warn or error", c.Log.Level)
	}
	return l, err
}
