// Command firmware-sim plays a home full of appliances against any MQTT broker that speaks the native dialect, and
// shows them on a page where a tester presses their keys and pulls their plugs.
//
//	firmware-sim run --broker tcp://127.0.0.1:1883 --devices devices.csv --http 127.0.0.1:8090
//
// It runs until it is interrupted. It exits with 1, and says why, if the registry or a model is wrong or the page's
// address is taken; a broker that is away is waited for.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"jiaxin/devices"
	"jiaxin/firmware-sim/fleet"
)

type cli struct {
	Run run `cmd:"" help:"Run the appliances of a registry."`
}

type run struct {
	Broker  string  `required:"" help:"Where the gateway listens: tcp://host:1883, or with TLS tls://host:8883."`
	Devices string  `required:"" type:"existingfile" help:"The registry, a CSV with client_id,username,password,label_url,name."`
	HTTP    string  `name:"http" default:"127.0.0.1:0" help:"Where the page listens; port 0 takes a free one."`
	Models  string  `type:"existingdir" help:"A maker's folder that holds models/<maker>/*.yaml."`
	Speed   float64 `default:"1" help:"How much faster than life programmes run: 60 makes a minute a second."`
}

func main() {
	var c cli
	k := kong.Parse(&c, kong.Name("firmware-sim"), kong.Description("Simulated appliances for Jiaxin. 模拟一家电器。"))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	k.BindTo(ctx, (*context.Context)(nil))
	k.FatalIfErrorf(k.Run())
}

// Run plugs the home in, serves its page and ends with ctx.
func (r run) Run(ctx context.Context) error {
	home, err := r.home()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", r.HTTP)
	if err != nil {
		return fmt.Errorf("the page cannot be served; choose another --http: %w", err)
	}
	server := &http.Server{Handler: home.Handler(), ReadHeaderTimeout: 10 * time.Second}
	home.Start()
	fmt.Printf("电器在这里 the appliances are at http://%s/\n", listener.Addr())
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err = <-served:
	case <-ctx.Done():
	}
	return errors.Join(err, shutdown(home, server))
}

// shutdown ends the home first, since its page's event streams end with it.
func shutdown(home *fleet.Home, server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(home.Stop(ctx), server.Shutdown(ctx))
}

func (r run) home() (*fleet.Home, error) {
	folders := []fs.FS{devices.Standard()}
	if r.Models != "" {
		folders = append(folders, os.DirFS(r.Models))
	}
	catalog, err := devices.Load(folders...)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(r.Devices)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	registrations, err := devices.ReadRegistry(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Devices, err)
	}
	return fleet.NewHome(fleet.HomeOptions{
		Catalog: catalog, Registrations: registrations, Broker: r.Broker, Speed: r.Speed,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
}
