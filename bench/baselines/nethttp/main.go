// Command nethttp is the admission webhook as it is written in Go without a framework:
// net/http over TLS, encoding/json, Kubernetes' own types. A pod must have an app label.
package main

import (
	"encoding/json"
	"flag"
	"io"
	"log"
	"net/http"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The largest body that is read: what the API server's limit on an object allows, twice.
const maxBodyBytes = 7 << 20

func decide(request *admissionv1.AdmissionRequest) (*admissionv1.AdmissionResponse, error) {
	answer := &admissionv1.AdmissionResponse{UID: request.UID, Allowed: true}
	if request.Operation != admissionv1.Create && request.Operation != admissionv1.Update {
		return answer, nil
	}
	var pod corev1.Pod
	if err := json.Unmarshal(request.Object.Raw, &pod); err != nil {
		return nil, err
	}
	if _, found := pod.Labels["app"]; !found {
		answer.Allowed = false
		answer.Result = &metav1.Status{
			Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden,
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
	var asked admissionv1.AdmissionReview
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
	encoded, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: asked.TypeMeta, Response: answer,
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
