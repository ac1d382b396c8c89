package main

import (
	"bufio"
	"context"
	"os"
	"strings"
	"syscall"

	"github.com/container-storage-interface/spec/lib/go/csi"
)

type node struct {
	csi.UnimplementedNodeServer
	store *store
	name  string
}

func (n node) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{NodeId: n.name}, nil
}

func (node) NodeGetCapabilities(context.Context, *csi.NodeGetCapabilitiesRequest) (*csi.NodeGetCapabilitiesResponse, error) {
	return &csi.NodeGetCapabilitiesResponse{}, nil
}

func (n node) NodePublishVolume(_ context.Context, r *csi.NodePublishVolumeRequest) (*csi.NodePublishVolumeResponse, error) {
	found, err := n.store.find(volumes, r.VolumeId)
	if err != nil {
		return nil, said(err)
	}
	if err := n.store.settle(r.VolumeId, found); err != nil {
		return nil, unready(r.VolumeId, err)
	}
	if err := os.MkdirAll(r.TargetPath, 0o750); err != nil {
		return nil, said(err)
	}
	mounted, err := isMounted(r.TargetPath)
	if err != nil || mounted {
		return &csi.NodePublishVolumeResponse{}, said(err)
	}
	if err := syscall.Mount(n.store.data(volumes, r.VolumeId), r.TargetPath, "", syscall.MS_BIND, ""); err != nil {
		return nil, said(err)
	}
	if r.Readonly {
		flags := uintptr(syscall.MS_BIND | syscall.MS_REMOUNT | syscall.MS_RDONLY)
		if err := syscall.Mount("", r.TargetPath, "", flags, ""); err != nil {
			// Never a writable mount where a read-only one was asked for: the retry starts anew.
			syscall.Unmount(r.TargetPath, 0)
			return nil, said(err)
		}
	}
	return &csi.NodePublishVolumeResponse{}, nil
}

func (n node) NodeUnpublishVolume(_ context.Context, r *csi.NodeUnpublishVolumeRequest) (*csi.NodeUnpublishVolumeResponse, error) {
	mounted, err := isMounted(r.TargetPath)
	if err != nil {
		return nil, said(err)
	}
	if mounted {
		if err := syscall.Unmount(r.TargetPath, 0); err != nil {
			return nil, said(err)
		}
	}
	// Only an empty folder: what lies in one that was not mounted is not ours to remove.
	if err := os.Remove(r.TargetPath); err != nil && !os.IsNotExist(err) {
		return nil, said(err)
	}
	return &csi.NodeUnpublishVolumeResponse{}, nil
}

func isMounted(path string) (bool, error) {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return false, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) > 4 && fields[4] == path {
			return true, nil
		}
	}
	return false, lines.Err()
}
