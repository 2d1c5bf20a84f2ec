// Command controllerruntime is the admission webhook that sigs.k8s.io/controller-runtime
// makes, the way its own example and kubebuilder write one: a typed validator behind its
// webhook server, with its metrics; no manager, which a webhook alone does not need. A
// pod must have an app label.
package main

import (
	"context"
	"errors"
	"flag"
	"net"
	"os"
	"path/filepath"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager/signals"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

type podValidator struct{}

func (*podValidator) validate(pod *corev1.Pod) (admission.Warnings, error) {
	if _, found := pod.Labels["app"]; !found {
		return nil, errors.New("Pod must have an app label")
	}
	return nil, nil
}

func (v *podValidator) ValidateCreate(_ context.Context, pod *corev1.Pod) (admission.Warnings, error) {
	return v.validate(pod)
}

func (v *podValidator) ValidateUpdate(_ context.Context, _, pod *corev1.Pod) (admission.Warnings, error) {
	return v.validate(pod)
}

func (*podValidator) ValidateDelete(context.Context, *corev1.Pod) (admission.Warnings, error) {
	return nil, nil
}

func run(address, certificate, key string) error {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	if filepath.Dir(certificate) != filepath.Dir(key) {
		return errors.New("certificate and key must be in one folder")
	}
	scheme := runtime.NewScheme()
	utilruntime.Must(corev1.AddToScheme(scheme))
	server := webhook.NewServer(webhook.Options{
		Host: host, Port: port, CertDir: filepath.Dir(certificate),
		CertName: filepath.Base(certificate), KeyName: filepath.Base(key),
	})
	server.Register("/validate", admission.WithValidator(scheme, &podValidator{}))
	return server.Start(signals.SetupSignalHandler())
}

func main() {
	address := flag.String("address", "127.0.0.1:8443", "where to listen")
	certificate := flag.String("cert-file", "", "certificate chain, PEM")
	key := flag.String("key-file", "", "private key, PEM; in the same folder")
	flag.Parse()
	log.SetLogger(zap.New())
	if err := run(*address, *certificate, *key); err != nil {
		log.Log.Error(err, "the server ended")
		os.Exit(1)
	}
}
