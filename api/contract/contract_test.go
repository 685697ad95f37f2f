package contract_test

import (
	"fmt"
	"testing"

	"muster/api/contract"
)

const document = `
openapi: 3.1.0
paths:
  /{version}/{group}:
    post: &op
      operationId: change
      requestBody: {content: {application/json: {schema: {type: object, required: [subject], properties: {subject: {type: string, maxLength: 3}}}}}}
      responses:
        '200': {content: {application/json: {schema: {$ref: '#/components/schemas/Done'}}}}
        default: {$ref: '#/components/responses/error'}
  /{version}/media:
    post: {operationId: upload, responses: {'200': {description: ok}}}
components:
  responses: {error: {content: {application/json: {schema: {type: object, required: [error], properties: {error: {}}}}}}}
  schemas: {Done: {type: object, required: [success], properties: {success: {type: boolean}, count: {type: integer}}}}
`

func TestDocument(t *testing.T) {
	t.Parallel()
	d, err := contract.Load([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(d.Operations()); got != "[POST /{version}/media POST /{version}/{group}]" {
		t.Errorf("the operations are %s", got)
	}
	if op := d.Operation("POST", "/v1/media?a=b"); op == nil || op.ID != "upload" {
		t.Errorf("the path without a parameter is not preferred: %v", op)
	}
	if op := d.Operation("GET", "/v1/x"); op != nil {
		t.Errorf("there is a %s", op.ID)
	}
	op := d.Operation("POST", "/v1/group")
	for _, row := range []struct {
		errs []error
		want int
	}{
		{d.Request(op, []byte(`{"subject":"abc"}`)), 0},
		{d.Request(op, []byte(`{"subject":"abcd"}`)), 1},
		{d.Request(op, []byte(`{}`)), 1},
		{d.Request(op, nil), 0},
		{d.Answer(op, 200, []byte(`{"success":true,"count":1}`)), 0},
		{d.Answer(op, 200, []byte(`{"success":"true"}`)), 1},
		{d.Answer(op, 200, []byte(`{"success":true,"count":1.5}`)), 1},
		{d.Answer(op, 404, []byte(`{"error":1}`)), 0},
		{d.Answer(op, 404, []byte(`{}`)), 1},
		{d.Answer(op, 200, []byte(`?`)), 1},
		{d.Schema("Done", []byte(`{"success":1}`)), 1},
		{d.Schema("None", []byte(`{}`)), 1},
		{d.Answer(d.Operation("POST", "/v1/media"), 500, nil), 1},
	} {
		if len(row.errs) != row.want {
			t.Errorf("%v, want %d errors", row.errs, row.want)
		}
	}
}
