package fleet

import (
	"testing"
	"testing/fstest"

	"jiaxin/devices"
)

// testModels are products that exist only here, so that what these tests say of them stays true.
const (
	pot = `
model: test/pot
name: {zh: 锅, en: pot}
properties:
  power:  {kind: switch, writable: true, name: {zh: 电源, en: power},
           values: {true: {say: [开], told: {zh: 已开, en: is on}}, false: {say: [关], told: {zh: 已关, en: is off}}}}
  heat:   {kind: number, unit: "%", min: 0, max: 100, writable: true, name: {zh: 火力, en: heat}, initial: 30}
  phase:  {kind: enum, name: {zh: 阶段, en: phase}, values: {idle: [空闲], cooking: [在煮], done: [好了]}}
  left:   {kind: number, unit: min, min: 0, max: 60, name: {zh: 剩余, en: left}}
  dish:   {kind: text, name: {zh: 菜, en: dish}}
commands:
  cook: {name: {zh: 煮, en: cook}, say: [煮], with: {dish: {kind: text, name: {zh: 菜, en: dish}}}, then: {phase: cooking}, told: {zh: 在煮, en: is cooking}}
  ring: {name: {zh: 响, en: ring}, say: [响], told: {zh: 响了, en: rang}}
  stop: {name: {zh: 停, en: stop}, say: [停], then: {phase: idle}, told: {zh: 停了, en: has stopped}}
events:
  dry:   {name: {zh: 烧干, en: boiled dry}, level: critical, message: dry, ask: [{say: [我来], ack: true}]}
  done:  {name: {zh: 好了, en: done}, level: info, message: done, when: phase == "done"}
  click: {name: {zh: 咔, en: click}, level: info, message: click}
samples:
  - name: {zh: 煮粥, en: cook porridge}
    command: true
    do: cook
    with: {dish: 粥}
    then:
      - {report: {phase: cooking, left: 20, dish: 粥}}
      - {after: 10m, report: {left: 10}}
      - {after: 10m, report: {phase: done, left: 0}}
  - {command: true, do: stop, then: [{after: 5s, report: {phase: idle, left: 0}}]}
  - {command: true, do: ring, then: [{after: 3s, event: click}]}
  - {command: true, set: {heat: 50}, then: [{after: 1s, report: {heat: 50}}, {after: 1m, report: {left: 5}}]}
  - {command: true, set: {power: false}, then: [{report: {power: false, phase: idle}}]}
  - name: {zh: 烧干了, en: it boils dry}
    event: dry
    then: [{after: 1m, report: {heat: 0}}]
  - {name: {zh: 咔, en: click}, event: click}
  - name: {zh: 有人加水, en: water is added}
    given: {power: true}
    report: {phase: idle}
  - name: {zh: 煮好了, en: it is done}
    given: {phase: cooking}
    report: {phase: done}
    raises: [done]
`
	heater = `
model: test/heater
name: {zh: 暖气, en: heater}
properties:
  power: {kind: switch, writable: true, name: {zh: 电源, en: power}, values: {true: {say: [开]}, false: {say: [关]}}}
  target: {kind: number, unit: °C, min: 16, max: 30, writable: true, name: {zh: 目标, en: target}, initial: 21}
  temperature: {kind: number, unit: °C, min: -40, max: 60, name: {zh: 室温, en: room}, initial: 20}
`
)

func testCatalog(t *testing.T) *devices.Catalog {
	t.Helper()
	c, err := devices.Load(fstest.MapFS{
		"models/test/pot.yaml":    {Data: []byte(pot)},
		"models/test/heater.yaml": {Data: []byte(heater)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func testModel(t *testing.T, id string) *devices.Model {
	t.Helper()
	m, ok := testCatalog(t).Model(id)
	if !ok {
		t.Fatalf("no model %s", id)
	}
	return m
}

func registration(product, device string) devices.Registration {
	a := devices.Address{Product: product, Device: device}
	return devices.Registration{
		Address: a, Username: a.ClientID(), Password: "pw-" + device,
		LabelURL: "https://home.example/l/0123456789ABCDEFGHJKMNPQR0", Name: "厨房的" + device,
	}
}
