// Command jiaxin is the gateway: it serves a real WeChat account, or shows a whole home and a whole WeChat on one page.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

func main() { os.Exit(run(os.Args[1:])) }

// cli lists the commands. Each is in a file of its own.
type cli struct {
	Demo       demoCmd       `cmd:"" help:"Show the whole home and a WeChat on one page. 演示:一页上的家和微信。"`
	Serve      serveCmd      `cmd:"" help:"Run the gateway for a WeChat account. 正式运行。"`
	Check      checkCmd      `cmd:"" help:"Check models, messages and configuration. 检查型号、消息和配置。"`
	Device     deviceCmd     `cmd:"" help:"Add devices to devices.csv. 登记家电。"`
	Version    versionCmd    `cmd:"" help:"Print the version. 版本。"`
	CheckStore checkStoreCmd `cmd:"" hidden:"" help:"Look for damage in a store's file."`
}

// exitError is an error with an exit code of its own; its text has been said already.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit %d", int(e)) }

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	parser, err := kong.New(&cli{}, kong.Name("jiaxin"),
		kong.Description("家信 Jiaxin: your appliances write home on WeChat, and do what you write back."),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.UsageOnError())
	if err != nil {
		return report(err)
	}
	k, err := parser.Parse(args) // --help is answered in it, and ends the process
	parser.FatalIfErrorf(err)
	if err := k.Run(); err != nil {
		return report(err)
	}
	return 0
}

// report writes why it failed. Several mistakes are a line each, and each line, so the last one too, begins with our name.
func report(err error) int {
	if e, ok := errors.AsType[exitError](err); ok { // kong has wrapped it
		return int(e)
	}
	for line := range strings.Lines(err.Error()) {
		_, _ = fmt.Fprintln(os.Stderr, "jiaxin:", strings.TrimRight(line, "\n"))
	}
	return 1
}
