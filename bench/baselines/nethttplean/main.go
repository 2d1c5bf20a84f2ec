// Command nethttplean is nethttp with structs of its own that hold only what it reads:
// the least that Go's standard library needs. A pod must have an app label.
package main

import (
	"encoding/json"
	"flag"
	"io"
	"log"
	"net/http"
	"time"
)

// The largest body that is read: what the API server's limit on an object allows, twice.
const maxBodyBytes = 7 << 20

type groupVersionKind struct {
	Group   string `json:"group"`
	Version string `json:"version"`
	Kind    string `json:"kind"`
}

type groupVersionResource struct {
	Group    string `json:"group"`
	Version  string `json:"version"`
	Resource string `json:"resource"`
}

type userInfo struct {
	Username string              `json:"username"`
	UID      string              `json:"uid"`
	Groups   []string            `json:"groups"`
	Extra    map[string][]string `json:"extra"`
}

type request struct {
	UID         string               `json:"uid"`
	Kind        groupVersionKind     `json:"kind"`
	Resource    groupVersionResource `json:"resource"`
	SubResource string               `json:"subResource"`
	Name        string               `json:"name"`
	Namespace   string               `json:"namespace"`
	Operation   string               `json:"operation"`
	UserInfo    userInfo             `json:"userInfo"`
	Object      json.RawMessage      `json:"object"`
	OldObject   json.RawMessage      `json:"oldObject"`
	DryRun      bool                 `json:"dryRun"`
}

type status struct {
	Code    int    `json:"code"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

type response struct {
	UID     string  `json:"uid"`
	Allowed bool    `json:"allowed"`
	Status  *status `json:"status,omitempty"`
}

type review struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Request    *request  `json:"request,omitempty"`
	Response   *response `json:"response,omitempty"`
}

type pod struct {
	Metadata struct {
		Labels map[string]string `json:"labels"`
	} `json:"metadata"`
}

func decide(request *request) (*response, error) {
	answer := &response{UID: request.UID, Allowed: true}
	if request.Operation != "CREATE" && request.Operation != "UPDATE" {
		return answer, nil
	}
	var object pod
	if err := json.Unmarshal(request.Object, &object); err != nil {
		return nil, err
	}
	if _, found := object.Metadata.Labels["app"]; !found {
		answer.Allowed = false
		answer.Status = &status{
			Code: http.StatusForbidden, Reason: "Forbidden",
			Message: "Pod must have an app label",
		}
	}
	return answer, nil
}

func validate(writer http.ResponseWriter, call *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(writer, call.Body, maxBodyBytes))
	if err != nil {
		http.Error(writer, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	var asked review
	if err := json.Unmarshal(body, &asked); err != nil {
		http.Error(writer, err.Error(), http.StatusBadRequest)
		return
	}
	if asked.Request == nil || asked.Request.UID == "" {
		http.Error(writer, "no request or no uid in the review", http.StatusBadRequest)
		return
	}
	answer, err := decide(asked.Request)
	if err != nil {
		http.Error(writer, err.Error(), http.StatusBadRequest)
		return
	}
	encoded, err := json.Marshal(review{
		APIVersion: asked.APIVersion, Kind: asked.Kind, Response: answer,
	})
	if err != nil {
		http.Error(writer, err.Error(), http.StatusInternalServerError)
		return
	}
	writer.Header().Set("Content-Type", "application/json")
	if _, err := writer.Write(encoded); err != nil {
		log.Print(err)
	}
}

func main() {
	address := flag.String("address", "127.0.0.1:8443", "where to listen")
	certificate := flag.String("cert-file", "", "certificate chain, PEM")
	key := flag.String("key-file", "", "private key, PEM")
	flag.Parse()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /validate", validate)
	server := &http.Server{
		Addr: *address, Handler: mux,
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 90 * time.Second,
	}
	log.Fatal(server.ListenAndServeTLS(*certificate, *key))
}
