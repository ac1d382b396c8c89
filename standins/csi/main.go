// Command lab-csi is a stand-in for a storage system behind CSI: volumes and snapshots are folders
// of one node. It answers for the calls that csi-provisioner, csi-snapshotter and the kubelet make,
// registers itself with the kubelet, and says in its vendor name that it is a stand-in.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

const version = "0.1.2"

const settleEvery = time.Second

type settings struct {
	driver, node, data, kubelet, health string
}

func main() {
	var s settings
	show := flag.Bool("version", false, "print the version and end")
	flag.StringVar(&s.driver, "driver", "", "the driver's name, such as driver.longhorn.io")
	flag.StringVar(&s.node, "node", "", "the node's name")
	flag.StringVar(&s.data, "data", "/var/lib/lab-csi", "the folder of volumes and snapshots")
	flag.StringVar(&s.kubelet, "kubelet", "/var/lib/kubelet", "the kubelet's folder")
	flag.StringVar(&s.health, "health", "127.0.0.1:9898", "where /healthz answers")
	flag.Parse()
	if *show {
		fmt.Println("lab-csi " + version + " (stand-in)")
		return
	}
	if s.driver == "" || s.node == "" {
		log.Fatal("lab-csi: give -driver and -node")
	}
	log.Fatalf("lab-csi: %v", serve(s))
}

// serve answers on both sockets and on the health address until one of them fails.
func serve(s settings) error {
	store, err := openStore(s.data)
	if err != nil {
		return err
	}
	log.Printf("stand-in for the CSI driver %s: folders of %s, node %s", s.driver, s.data, s.node)
	socket := filepath.Join(s.kubelet, "plugins", s.driver, "csi.sock")
	failed := make(chan error)
	known := &atomic.Bool{}
	go func() {
		failed <- onSocket(socket, func(g *grpc.Server) {
			csi.RegisterIdentityServer(g, identity{driver: s.driver, store: store})
			csi.RegisterControllerServer(g, controller{store: store})
			csi.RegisterNodeServer(g, node{store: store, name: s.node})
		})
	}()
	go func() {
		registered := filepath.Join(s.kubelet, "plugins_registry", s.driver+"-reg.sock")
		failed <- onSocket(registered, func(g *grpc.Server) {
			registration.RegisterRegistrationServer(g, registrar{driver: s.driver, socket: socket, known: known})
		})
	}()
	go settling(store)
	go func() { failed <- http.ListenAndServe(s.health, healthOf(store, known)) }()
	return <-failed
}

// settling takes over what is restored, also for volumes that nobody mounts.
func settling(s *store) {
	last := ""
	for ; ; time.Sleep(settleEvery) {
		said := ""
		if err := s.settleAll(); err != nil {
			said = err.Error()
		}
		if said != last && said != "" {
			log.Printf("what was restored could not be taken over: %s", said)
		}
		last = said
	}
}

func onSocket(path string, register func(*grpc.Server)) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	// What a killed driver left would keep the name busy.
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	register(server)
	return server.Serve(listener)
}

// healthOf answers 200 while the folders can be written and the kubelet knows the driver.
func healthOf(s *store, known *atomic.Bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		if err := s.usable(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		if !known.Load() {
			http.Error(w, "not registered with the kubelet", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	return mux
}
