import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// What a server answered.
struct HTTPAnswer: Sendable {
    var status: Int
    /// Names in lower case.
    var headers: [String: String]
    var body: [UInt8]
}

/// Why there is no answer.
enum HTTPFailure: Error, Hashable {
    case timedOut
    case tooLarge
    case connection(String)
}

/// Fetches one address at a time, without cookies, caches or redirects of its own; an answer that becomes too long or takes too long is
/// given up.
///
/// `@unchecked Sendable`: `exchanges` is the only state that changes and is used under `lock`; `session` is set once in `init`.
final class HTTPClient: NSObject, URLSessionDataDelegate, @unchecked Sendable {
    private struct Exchange {
        var continuation: CheckedContinuation<HTTPAnswer, any Error>
        var body: [UInt8] = []
    }

    private let timeout: Double
    private let maximumBytes: Int
    private let userAgent: String
    private let lock = NSLock()
    private var exchanges: [Int: Exchange] = [:]
    private var session: URLSession?

    /// `timeout` in seconds is for an answer as a whole.
    init(userAgent: String, timeout: Double, maximumBytes: Int) {
        (self.timeout, self.maximumBytes, self.userAgent) = (timeout, maximumBytes, userAgent)
        super.init()
        let configuration = URLSessionConfiguration.ephemeral
        configuration.httpCookieStorage = nil
        configuration.httpShouldSetCookies = false
        configuration.httpCookieAcceptPolicy = .never
        configuration.urlCache = nil
        configuration.requestCachePolicy = .reloadIgnoringLocalCacheData
        configuration.timeoutIntervalForRequest = timeout * 2  // the timer of `get` comes first
        session = URLSession(configuration: configuration, delegate: self, delegateQueue: nil)
    }

    /// Lets go of the connections; nothing can be fetched any more.
    func close() { session?.invalidateAndCancel() }

    /// Throws an `HTTPFailure`, or `CancellationError` when the task is cancelled.
    func get(_ url: URL) async throws -> HTTPAnswer {
        try Task.checkCancellation()
        guard let session else { throw HTTPFailure.connection("the client is closed") }
        var request = URLRequest(url: url)
        request.setValue(userAgent, forHTTPHeaderField: "User-Agent")
        request.setValue("text/html,application/xhtml+xml;q=0.9,*/*;q=0.1", forHTTPHeaderField: "Accept")
        request.setValue("zh-CN,zh;q=0.9,*;q=0.1", forHTTPHeaderField: "Accept-Language")
        let task = session.dataTask(with: request)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                lock.withLock { exchanges[task.taskIdentifier] = Exchange(continuation: continuation) }
                DispatchQueue.global().asyncAfter(deadline: .now() + timeout) { [weak self] in self?.giveUp(task, HTTPFailure.timedOut) }
                task.resume()
                if Task.isCancelled { giveUp(task, CancellationError()) }
            }
        } onCancel: {
            giveUp(task, CancellationError())
        }
    }

    private func giveUp(_ task: URLSessionTask, _ error: any Error) {
        finish(task, .failure(error))
        task.cancel()
    }

    /// The first result counts; what comes later finds no exchange.
    private func finish(_ task: URLSessionTask, _ result: Result<HTTPAnswer, any Error>) {
        lock.withLock { exchanges.removeValue(forKey: task.taskIdentifier) }?.continuation.resume(with: result)
    }

    func urlSession(
        _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse, newRequest request: URLRequest,
        completionHandler: @escaping (URLRequest?) -> Void
    ) {
        answer(task, response)
        completionHandler(nil)
        task.cancel()
    }

    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
        let isTooLarge = lock.withLock {
            exchanges[dataTask.taskIdentifier]?.body.append(contentsOf: data)
            return exchanges[dataTask.taskIdentifier].map { $0.body.count > maximumBytes } ?? false
        }
        if isTooLarge { giveUp(dataTask, HTTPFailure.tooLarge) }
    }

    func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
        if let error {
            let isTimeOut = (error as? URLError)?.code == .timedOut
            finish(task, .failure(isTimeOut ? HTTPFailure.timedOut : .connection(error.localizedDescription)))
        } else if let response = task.response as? HTTPURLResponse {
            answer(task, response)
        } else {
            finish(task, .failure(HTTPFailure.connection("no HTTP answer")))
        }
    }

    private func answer(_ task: URLSessionTask, _ response: HTTPURLResponse) {
        var headers: [String: String] = [:]
        for (name, value) in response.allHeaderFields { headers["\(name)".lowercased()] = "\(value)" }
        let body = lock.withLock { exchanges[task.taskIdentifier]?.body } ?? []
        finish(task, .success(HTTPAnswer(status: response.statusCode, headers: headers, body: body)))
    }
}
