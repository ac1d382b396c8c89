{{- /* The name of what the release owns once, e.g. its Service. */ -}}
{{- define "standin.name" -}}
{{- $chart := .Values.nameOverride | default .Chart.Name -}}
{{- $whole := ternary .Release.Name (printf "%s-%s" .Release.Name $chart) (contains $chart .Release.Name) -}}
{{- .Values.fullnameOverride | default $whole | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "standin.account" -}}
{{- $server := .Values.serviceAccount.server -}}
{{- $made := ternary (printf "%s-server" (include "standin.name" .)) "default" $server.create -}}
{{- $server.name | default $made -}}
{{- end -}}

{{- /* What a selector may hold: it cannot change once an object exists. */ -}}
{{- define "standin.selector" -}}
app.kubernetes.io/name: {{ .Values.nameOverride | default .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "standin.labels" -}}
{{ include "standin.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "standin.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest }}{{ $image.repository }}@{{ $image.digest }}{{ else }}{{ $image.repository }}:{{ $image.tag }}{{ end -}}
{{- end -}}

{{- /* Where the CRD job finds the identity that may write definitions. */ -}}
{{- define "standin.hook" -}}
helm.sh/hook: pre-install,pre-upgrade,pre-rollback
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}
