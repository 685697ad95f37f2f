package sandbox_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"muster/sandbox/sandboxtest"
)

// TestControlMessages sends and reads through the control API, with a client at
// the other end.
func TestControlMessages(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t)
	addPhones(t, srv)
	client := sandboxtest.Link(t, srv, baker)
	api := controller{t, srv.URL() + "/control/v1"}
	say := func(body string) *events.Message {
		t.Helper()
		id, _ := api.call("POST", "/phones/"+nurse+"/messages", `{"to":"`+baker+`",`+body+`}`, 200)["id"].(string)
		return sandboxtest.Wait(t, client, body, func(e *events.Message) bool { return e.Info.ID == id })
	}
	image := say(`"type":"image","text":"look","media":{"data":"` + base64.StdEncoding.EncodeToString([]byte("picture")) + `","width":9}`)
	if data, err := client.Download(t.Context(), image.Message.GetImageMessage()); err != nil || string(data) != "picture" || image.Message.GetImageMessage().GetWidth() != 9 {
		t.Errorf("the picture came as %v, %q, %v", image.Message, data, err)
	}
	if file := download(t, api.base+"/phones/"+nurse+"/messages/"+image.Info.ID+"/media"); file != "picture" {
		t.Errorf("the phone has the file %q", file)
	}
	poll := say(`"type":"poll","text":"Tea?","poll":{"options":["yes","no"],"selectable_count":1}`)
	vote, err := client.BuildPollVote(t.Context(), &poll.Info, []string{"yes"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = client.SendMessage(t.Context(), poll.Info.Chat, vote); err != nil {
		t.Fatal(err)
	}
	inbox := api.call("GET", "/phones/"+nurse+"/messages", "", 200)["messages"].([]any)
	read := inbox[len(inbox)-1].(map[string]any)
	votes, _ := read["votes"].([]any)
	if target, _ := read["target"].(map[string]any); read["type"] != "poll_vote" || len(votes) != 1 || votes[0] != "yes" || target["id"] != poll.Info.ID {
		t.Errorf("the vote is shown as %v", read)
	}
	api.call("POST", "/phones/"+nurse+"/read", `{"ids":["`+read["id"].(string)+`"]}`, 200)
	sandboxtest.Wait(t, client, "the read receipt", func(e *events.Receipt) bool { return e.Type == types.ReceiptTypeRead })
	receipts := api.call("GET", "/phones/"+nurse+"/receipts", "", 200)["receipts"].([]any)
	if len(receipts) == 0 || receipts[0].(map[string]any)["type"] != "delivered" || receipts[0].(map[string]any)["from_number"] != baker {
		t.Errorf("the receipts are %v", receipts)
	}
	for body, want := range map[string]int{
		`{"to":"` + baker + `","type":"image"}`:                                      422,
		`{"to":"` + baker + `","text":"x","quoted":{"id":"none"}}`:                   404,
		`{"to":"` + baker + `","type":"image","media":{"data":"not base64 at all"}}`: 422,
		`{"text":"to nobody"}`: 422,
	} {
		api.call("POST", "/phones/"+nurse+"/messages", body, want)
	}
	api.call("GET", "/phones/"+nurse+"/messages/none/media", "", 404)
}

func download(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	file, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s, %v", url, response.StatusCode, file, err)
	}
	return string(file)
}

// TestStandIns: members who exist by their keys alone are encrypted for, and
// hear nothing.
func TestStandIns(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t)
	addPhones(t, srv)
	api := controller{t, srv.URL() + "/control/v1"}
	const absent = "4915100000009"
	shown := api.call("POST", "/phones", `{"number":"`+absent+`","off":true,"stand_ins":1}`, 201)
	if devices, _ := shown["devices"].([]any); shown["off"] != true || len(devices) != 1 || devices[0].(map[string]any)["stand_in"] != true {
		t.Errorf("the phone is shown as %v", shown)
	}
	api.call("POST", "/phones", `{"number":"4915100000010","stand_ins":5}`, 422)
	client := sandboxtest.Link(t, srv, baker)
	group, err := client.CreateGroup(t.Context(), whatsmeow.ReqCreateGroup{
		Name: "Mostly absent", Participants: []types.JID{types.NewJID(absent, types.DefaultUserServer)},
	})
	if err != nil {
		t.Fatal(err)
	}
	devices, err := client.GetUserDevices(t.Context(), []types.JID{group.Participants[0].JID, group.Participants[1].JID})
	if err != nil || len(devices) != 4 {
		t.Errorf("the members have the devices %v, %v", devices, err)
	}
	if _, err := srv.SendText(baker, group.JID.String(), "is anybody there?"); err != nil {
		t.Fatal(err)
	}
	client.Text(t, group.JID, "is anybody there?")
	if inbox, err := srv.Inbox(absent); err != nil || len(inbox) != 0 {
		t.Errorf("a phone that is off has read %v, %v", inbox, err)
	}
	if info, err := srv.Phone(absent); err != nil || info.Devices[0].Queued != 0 {
		t.Errorf("what is sent to a stand-in is kept: %+v, %v", info, err)
	}
}
